"""Every field that tools write into `config.json`: read, without meaning, or refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from transformers import CONFIG_MAPPING, PreTrainedConfig

from tests.tiny import make_checkpoint
from tests.tiny.resaved import move_to_rope_parameters
from xinference_internvl2.checkpoint import known_fields, linear_layers
from xinference_internvl2.checkpoint.backbones import BACKBONES as LANGUAGE_MODELS
from xinference_internvl2.checkpoint.config import CheckpointConfig, parse_config
from xinference_internvl2.checkpoint.config_defaults import LANGUAGE_DEFAULTS
from xinference_internvl2.errors import CheckpointError

BACKBONES = ("qwen2", "internlm2", "phi3", "llama")
HUB = Path(__file__).resolve().parents[4] / "shared" / "reference" / "hub"
# Section → field → the values of it that were seen in files of transformers 4.37.2, 4.41.2, 4.45.2,
# 4.49.0, 4.52.4, 4.55.4, 4.57.1, 5.0.0 and 5.17.0 (`to_dict` and `to_diff_dict`), of the authors'
# later scripts and of other tools; without those that the reader honours.
WRITTEN = json.loads(Path(__file__).with_name("written_fields.json").read_text(encoding="utf-8"))
NONSENSE = [[1]]


@pytest.fixture(scope="module")
def configs(tmp_path_factory: Any) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("fields")
    return {
        backbone: json.loads(
            (make_checkpoint(folder / backbone, backbone=backbone) / "config.json").read_text()
        )
        for backbone in BACKBONES
    }


def parsed(config: dict[str, Any]) -> CheckpointConfig:
    return parse_config(Path("folder"), config)


def with_field(config: dict[str, Any], section: str, key: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(config)
    (changed[section] if section else changed)[key] = value
    return changed


def fields(table: Any) -> list[tuple[str, str]]:
    return [(section, key) for section in table for key in sorted(table[section])]


@pytest.mark.parametrize(("section", "key"), fields(WRITTEN))
def test_what_tools_write_changes_nothing(configs: Any, section: str, key: str) -> None:
    for config in configs.values():
        for value in WRITTEN[section][key]:
            assert parsed(with_field(config, section, key, value)) == parsed(config)


@pytest.mark.parametrize(("section", "key"), fields(known_fields._HONOURED))
def test_every_honoured_field_is_read(configs: Any, section: str, key: str) -> None:
    """By the language models that have it, with the window that one of them can have."""
    refusals = []
    window = with_field(configs["qwen2"], "llm_config", "use_sliding_window", True)
    for config in (*configs.values(), window):
        try:
            parsed(with_field(config, section, key, NONSENSE))
        except CheckpointError as error:
            refusals.append(str(error))
    assert refusals
    assert all(key in refusal for refusal in refusals)


@pytest.mark.parametrize("section", known_fields._HONOURED)
def test_any_other_field_is_refused_if_it_says_something(configs: Any, section: str) -> None:
    for config in configs.values():
        for nothing in (None, False, 0, [], {}, ""):
            assert parsed(with_field(config, section, "x", nothing)) == parsed(config)
        for value in (True, 1, 0.5, "on", [0], {"a": 1}):
            with pytest.raises(CheckpointError, match=r"x is .+, but must be left out"):
                parsed(with_field(config, section, "x", value))


MEANINGFUL = [
    ("", "pad2square", True, "pad2square is true, but must be false"),
    ("", "system_message", "Be brief.", "must be left out; launch with that text as --system"),
    ("", "image_fold", 2, "image_fold is 2, but must be left out"),
    ("llm_config", "use_moe", True, "llm_config.use_moe is true, but must be left out"),
    ("vision_config", "use_moe", True, "vision_config.use_moe is true, but must be left out"),
    ("llm_config", "moe_config", {"experts": 2}, "llm_config.moe_config is {"),
    ("llm_config", "pruned_heads", {"0": [1]}, "llm_config.pruned_heads is {"),
    ("llm_config", "rope_pos_id_version", "v2pe_fix", 'rope_pos_id_version is "v2pe_fix", but'),
    ("llm_config", "rope_pos_id_stride", 64, "rope_pos_id_stride is 64, but must be left out"),
    ("llm_config", "mlp_bias", True, "mlp_bias is true, but must be left out"),
    ("llm_config", "partial_rotary_factor", 0.5, "partial_rotary_factor is 0.5, but must be"),
]


@pytest.mark.parametrize(("section", "key", "value", "sentence"), MEANINGFUL)
def test_a_field_with_a_meaning_that_is_not_served_is_named(
    configs: Any, section: str, key: str, value: Any, sentence: str
) -> None:
    for config in configs.values():
        config = {**config, "dynamic_image_size": False}
        with pytest.raises(CheckpointError) as caught:
            parsed(with_field(config, section, key, value))
        assert sentence in str(caught.value)


def saved_again(section: dict[str, Any], form: str) -> dict[str, Any]:
    """As the installed transformers saves it; InternLM2's class is of remote code, which has the
    fields of the file and no others, and so is the vision tower's."""
    native = section["model_type"] in ("qwen2", "phi3", "llama")
    made = CONFIG_MAPPING[section["model_type"]] if native else PreTrainedConfig
    given = copy.deepcopy({key: value for key, value in section.items() if key != "model_type"})
    if section["model_type"] == "phi3":  # the older form makes its class fail
        move_to_rope_parameters({"llm_config": given})
    config = made(**given)
    assert isinstance(config, PreTrainedConfig)
    assert config.model_type == (section["model_type"] if native else "")
    values = config.to_dict() if form == "to_dict" else config.to_diff_dict()
    again: dict[str, Any] = json.loads(json.dumps(values))
    return again | {key: section[key] for key in ("architectures", "model_type")}


def all_again(config: dict[str, Any], form: str) -> dict[str, Any]:
    sections = {name: saved_again(config[name], form) for name in ("llm_config", "vision_config")}
    whole = PreTrainedConfig(**{k: v for k, v in config.items() if k not in sections})
    values = whole.to_dict() if form == "to_dict" else whole.to_diff_dict()
    return json.loads(json.dumps(values)) | sections | {"model_type": config["model_type"]}


@pytest.mark.parametrize("form", ["to_dict", "to_diff_dict"])
@pytest.mark.parametrize("backbone", [*BACKBONES, "InternVL2-1B", "InternVL2-2B"])
def test_what_the_installed_transformers_saves_is_the_same_checkpoint(
    configs: Any, backbone: str, form: str
) -> None:
    if backbone not in configs and not HUB.is_dir():
        pytest.skip("the published files are absent")
    file = HUB / backbone / "config.json"
    config = configs.get(backbone) or json.loads(file.read_text())
    again = all_again(config, form)
    assert again != config
    assert parsed(again) == parsed(config)


def test_fields_that_are_absent_at_the_top_are_the_class_defaults(configs: Any) -> None:
    config = dict(configs["llama"])
    for key in ("dynamic_image_size", "use_thumbnail", "max_dynamic_patch", "min_dynamic_patch"):
        del config[key]
    found = parsed(config)
    assert (found.min_tiles, found.max_tiles, found.use_thumbnail) == (1, 1, False)
    found = parsed({**config, "dynamic_image_size": True})
    assert (found.min_tiles, found.max_tiles) == (1, 6)


def test_the_layer_whose_output_is_seen(configs: Any) -> None:
    """The state after the last layer has two numbers, and the one before the first layer too."""
    for config in configs.values():
        layers = config["vision_config"]["num_hidden_layers"]
        assert parsed({**config, "select_layer": layers}).select_layer == -1
        for found in (-layers - 1, 0, layers - 1):
            assert parsed({**config, "select_layer": found}).select_layer == found
        for wrong in (-layers - 2, layers + 1):
            with pytest.raises(CheckpointError, match=f"select_layer is {wrong}, but must be"):
                parsed({**config, "select_layer": wrong})


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("Qwen2ForCausalLM", {"use_sliding_window": True}),
        ("Phi3ForCausalLM", {}),
        ("LlamaForCausalLM", {}),
    ],
)
def test_fields_that_are_absent_are_those_of_the_installed_class(
    architecture: str, options: dict[str, Any]
) -> None:
    defaults = LANGUAGE_DEFAULTS[architecture]
    installed = CONFIG_MAPPING[LANGUAGE_MODELS[architecture].model_type](**options)
    assert {key: getattr(installed, key) for key in defaults} == defaults


def test_every_language_model_has_defaults_and_names_of_layers() -> None:
    assert set(LANGUAGE_DEFAULTS) == set(linear_layers.NAMES) == set(LANGUAGE_MODELS)


def test_fields_that_are_absent_are_those_of_the_class_that_internlm2_publishes() -> None:
    """It is remote code, so that none can be installed."""
    assert LANGUAGE_DEFAULTS["InternLM2ForCausalLM"] == {
        **{"vocab_size": 103168, "hidden_size": 4096, "intermediate_size": 11008},
        **{"num_hidden_layers": 32, "num_attention_heads": 32, "max_position_embeddings": 2048},
        **{"hidden_act": "silu", "rms_norm_eps": 1e-6, "bias": True},
    }


def test_the_length_of_training_is_that_of_the_installed_class_where_it_is_absent(
    configs: Any,
) -> None:
    config = with_field(configs["phi3"], "llm_config", "original_max_position_embeddings", None)
    found = parsed(config).llm["rope_parameters"]["original_max_position_embeddings"]
    assert found == CONFIG_MAPPING["phi3"]().original_max_position_embeddings


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_layers_have_the_window_that_the_installed_class_gives_them(
    configs: Any, first: int
) -> None:
    """Those from `max_window_layers` on; a tool may write the same out, and nothing else."""
    config = copy.deepcopy(configs["qwen2"])
    llm = config["llm_config"]
    llm |= {"use_sliding_window": True, "max_window_layers": first, "num_hidden_layers": 3}
    installed = CONFIG_MAPPING["qwen2"](
        use_sliding_window=True, max_window_layers=first, num_hidden_layers=3
    )
    types = installed.layer_types
    assert parsed(config).llm["layer_types"] == types
    assert parsed(with_field(config, "llm_config", "layer_types", types)) == parsed(config)
    for wrong in (types[:-1], [*types, types[-1]]):
        with pytest.raises(CheckpointError, match=f"must be what max_window_layers {first} says"):
            parsed(with_field(config, "llm_config", "layer_types", wrong))
