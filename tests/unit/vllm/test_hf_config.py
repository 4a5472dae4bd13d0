"""The configuration that vLLM is given: of any saved form, that of the checkpoint itself."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from tests.tiny import make_checkpoint
from tests.tiny.resaved import VARIANTS
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.vllm.checkpoint_family import is_ours
from xinference_internvl2.vllm.hf_config import InternVLChatConfig

BACKBONES: Any = ("qwen2", "internlm2", "phi3", "llama")
FAMILY = "internvl2"


@pytest.fixture(scope="module", params=BACKBONES)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("entry") / request.param
    return make_checkpoint(folder, backbone=request.param, vit="6b")


@pytest.fixture
def values(checkpoint: Path) -> dict[str, Any]:
    config = json.loads((checkpoint / "config.json").read_text())
    if "original_max_position_embeddings" in config["llm_config"]:
        config["llm_config"]["original_max_position_embeddings"] = 8
    return {**config, "_name_or_path": str(checkpoint)}


def given(values: dict[str, Any]) -> dict[str, Any]:
    """All that vLLM is given."""
    config = InternVLChatConfig(**copy.deepcopy(values))
    found = vars(config) | {
        "text_config": config.text_config.to_dict(),
        "vision_config": config.vision_config.to_dict(),
    }
    return json.loads(json.dumps(found, default=str))  # type: ignore[no-any-return]


@pytest.mark.parametrize("variant", VARIANTS)
def test_saved_again_it_is_the_same(values: dict[str, Any], variant: str) -> None:
    again = copy.deepcopy(values)
    VARIANTS[variant](again)
    assert given(again) == given(values)
    assert is_ours(again, FAMILY)


FIELDS = {
    "hidden_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "intermediate_size": 96,
    "layer_norm_eps": 0.5,
    "norm_type": "layer_norm",
    "qkv_bias": True,
    "qk_normalization": False,
    "image_size": 112,
    "patch_size": 14,
    "num_channels": 3,
    "hidden_act": "gelu",
}


def test_every_field_of_the_vision_tower_reaches_vllm(values: dict[str, Any]) -> None:
    values["vision_config"] |= FIELDS
    config = InternVLChatConfig(**values)
    assert {name: getattr(config.vision_config, name) for name in FIELDS} == FIELDS


ROPE: dict[str, Any] = {
    "qwen2": {"rope_type": "default", "rope_theta": 1e6},
    # Within the positions that vLLM has, there is nothing to scale.
    "internlm2": {"rope_type": "default", "rope_theta": 1e6},
    "llama": {"rope_type": "default", "rope_theta": 5e6},
}


def test_the_language_model_has_its_own_values(values: dict[str, Any], checkpoint: Path) -> None:
    values |= {"torch_dtype": "float16", "use_llm_lora": 4, "max_dynamic_patch": 5}
    values["llm_config"] |= {"rms_norm_eps": 0.5, "tie_word_embeddings": True}
    config = InternVLChatConfig(**values)
    text, llm = config.get_text_config(), values["llm_config"]
    for name in ("vocab_size", "hidden_size", "max_position_embeddings", "num_key_value_heads"):
        assert getattr(text, name) == llm[name]
    assert (text.rms_norm_eps, text.tie_word_embeddings, config.tie_word_embeddings) == (
        *(0.5, True, True),
    )
    assert str(config.dtype).endswith("float16")
    assert str(text.dtype).endswith("float16")
    assert config.lora_ranks == {"language_model": 4, "vision_model": 0}
    assert (config.min_dynamic_patch, config.max_dynamic_patch) == (1, 5)
    rope = ROPE.get(checkpoint.name)
    if rope is None:
        assert text.rope_parameters["original_max_position_embeddings"] == 8
        assert text.original_max_position_embeddings == 8
        assert text.rope_parameters["rope_type"] == "longrope"
    else:
        assert dict(text.rope_parameters) == rope


@pytest.mark.parametrize("first", [0, 1])
def test_a_window_as_wide_as_the_context_is_none(
    values: dict[str, Any], checkpoint: Path, first: int
) -> None:
    """vLLM refuses some layers with a window, and on some CPUs every layer."""
    plain = InternVLChatConfig(**copy.deepcopy({**values, "llm_config": without(values, WINDOW)}))
    length = values["llm_config"]["max_position_embeddings"]
    window = {"sliding_window": length, "use_sliding_window": True, "max_window_layers": first}
    if checkpoint.name != "qwen2":
        window = {"sliding_window": length}
    values["llm_config"] |= window
    found = InternVLChatConfig(**values).text_config
    assert getattr(found, "sliding_window", None) is None
    assert getattr(found, "layer_types", None) == getattr(plain.text_config, "layer_types", None)


def without(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in values["llm_config"].items() if name not in names}


WINDOW = ("sliding_window", "use_sliding_window")


def test_another_process_of_vllm_receives_it(values: dict[str, Any]) -> None:
    config = InternVLChatConfig(**values)
    received = pickle.loads(pickle.dumps(config))
    assert received.text_config.to_dict() == config.text_config.to_dict()
    assert received.template == values["template"]


def test_what_vllm_computes_otherwise_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="select_layer is -2, but vLLM's model of InternVL"):
        InternVLChatConfig(**{**values, "select_layer": -2})
