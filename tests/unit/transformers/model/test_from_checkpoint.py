"""Loading: every backbone and both vision towers, and everything that is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import edit_config, make_checkpoint
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.model.from_checkpoint import load_model

BACKBONES = ("qwen2", "internlm2", "phi3", "llama")


@pytest.mark.parametrize("vit", ["300m", "6b"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_weight_finds_its_place(tmp_path: Path, backbone: Any, vit: Any) -> None:
    """One shard or several, in each dtype: the model's parameters are the checkpoint's."""
    path = make_checkpoint(tmp_path / "one", backbone=backbone, vit=vit, dtype="float32")
    model = load_model(path)
    stored = load_file(path / "model.safetensors")
    assert not model.training
    assert sum(p.numel() for p in model.parameters()) == sum(t.numel() for t in stored.values())
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    sharded = make_checkpoint(
        tmp_path / "three", backbone=backbone, vit=vit, dtype="float32", shards=3
    )
    assert len(list(sharded.glob("*.safetensors"))) == 3
    again = load_model(sharded, device_map={"": "cpu"}).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())
    half = load_model(path, dtype=torch.float16)
    assert {p.dtype for p in half.parameters()} == {torch.float16}


@pytest.mark.parametrize("vit", ["300m", "6b"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_norm_has_the_epsilon_of_the_file(tmp_path: Path, backbone: Any, vit: Any) -> None:
    """But the projector's, which the published code leaves at torch's default."""
    path = make_checkpoint(tmp_path / "checkpoint", backbone=backbone, vit=vit)

    def change(config: dict[str, Any]) -> None:
        config["vision_config"]["layer_norm_eps"] = 0.25
        config["llm_config"]["rms_norm_eps"] = 0.5

    edit_config(path, change)
    epsilons = {
        name: getattr(module, "variance_epsilon", getattr(module, "eps", None))
        for name, module in load_model(path).named_modules()
        if "Norm" in type(module).__name__
    }
    assert len(epsilons) == 10 + (4 if vit == "6b" else 0)
    for name, found in epsilons.items():
        part = name.split(".")[1]
        expected = {"vision_tower": 0.25, "language_model": 0.5, "multi_modal_projector": 1e-5}
        assert found == expected[part], name


def test_the_parts_of_wqkv(tmp_path: Path) -> None:
    """Rows are (kv head, [q…, k, v], head size)."""
    path = make_checkpoint(tmp_path, backbone="internlm2", dtype="float32")
    llm = read_config(path).llm
    groups, heads = llm["num_key_value_heads"], llm["num_attention_heads"]
    size, queries = llm["hidden_size"] // heads, heads // groups
    assert groups > 1
    assert queries > 1
    fused = load_file(path / "model.safetensors")[
        "language_model.model.layers.1.attention.wqkv.weight"
    ]
    attention = load_model(path).model.language_model.layers[1].self_attn
    for group in range(groups):
        start = group * (queries + 2) * size
        own = fused[start : start + (queries + 2) * size]
        q = attention.q_proj.weight[group * queries * size : (group + 1) * queries * size]
        assert torch.equal(q, own[: queries * size])
        for offset, part in ((queries, attention.k_proj), (queries + 1, attention.v_proj)):
            row = part.weight[group * size : (group + 1) * size]
            assert torch.equal(row, own[offset * size : (offset + 1) * size])


def test_tied_embeddings(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, backbone="llama", dtype="float32")
    edit_config(path, lambda config: config["llm_config"].update(tie_word_embeddings=True))
    edit_weights(path, lambda weights: weights.pop("language_model.lm_head.weight"))
    model = load_model(path)
    assert model.lm_head.weight is model.get_input_embeddings().weight


def edit_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    weights = load_file(path / "model.safetensors")
    change(weights)
    save_file(weights, path / "model.safetensors", {"format": "pt"})


def config(section: str | None = None, **values: Any) -> Callable[[Path], None]:
    def change(found: dict[str, Any]) -> None:
        (found[section] if section else found).update(values)

    return lambda path: edit_config(path, change)


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    return lambda path: edit_weights(path, change)


def rewrite(name: str, data: bytes) -> Callable[[Path], Any]:
    return lambda path: (path / name).write_bytes(data)


def cut(path: Path) -> None:
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-64])


def pickled(path: Path) -> None:
    (path / "model.safetensors").unlink()
    torch.save({}, path / "pytorch_model.bin")


def index(**weight_map: str) -> Callable[[Path], Any]:
    text = json.dumps({"weight_map": weight_map})
    return rewrite("model.safetensors.index.json", text.encode())


HEAD = "language_model.lm_head.weight"
# What is wrong with the checkpoint, and what the error says of it.
REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no directory": (shutil.rmtree, "is not a directory; give the folder of a checkpoint"),
    "no config": (
        lambda path: (path / "config.json").unlink(),
        "config.json is missing; download the whole model repository again",
    ),
    "config is no JSON": (rewrite("config.json", b"{"), "config.json is not valid JSON"),
    "config is binary": (rewrite("config.json", b"\xff\xfe\x00"), "is not valid JSON"),
    "config is nested too deep": (rewrite("config.json", b"[" * 10**6), "is not valid JSON"),
    "config is a list": (rewrite("config.json", b"[]"), "the file is not a JSON object"),
    "another model": (
        config(model_type="llama"),
        'model_type is "llama", but must be "internvl_chat"',
    ),
    "another pixel shuffle": (config(ps_version="v1"), 'ps_version is "v1", but must be "v2"'),
    "no pixel shuffle": (config(ps_version=None), "ps_version is null, but must be"),
    "no template": (config(template=None), "template is null, but must be the name of"),
    "template of another kind": (config(template=1), "template is 1, but must be the name of"),
    "layer that is not there": (config(select_layer=77), "select_layer is 77, but must be"),
    "fewer tiles than the least": (
        config(min_dynamic_patch=13),
        "min_dynamic_patch is 13, but must be a whole number from 1 to 12",
    ),
    "quantized": (
        config("llm_config", quantization_config={"quant_method": "gptq"}),
        "holds weights quantized with gptq, but only AWQ in 4 bit is loaded",
    ),
    "quantization is a list": (
        config("llm_config", quantization_config=[]),
        "llm_config.quantization_config is [], but must be an object",
    ),
    "unknown backbone": (
        config("llm_config", architectures=["GPT2LMHeadModel"]),
        'llm_config.architectures is ["GPT2LMHeadModel"], but must be one of Qwen2ForCausalLM',
    ),
    "no backbone": (config("llm_config", architectures=[]), "llm_config.architectures is []"),
    "no vision": (config(vision_config=None), "vision_config is null, but must be an object"),
    "unknown norm": (
        config("vision_config", norm_type="batch_norm"),
        'vision_config.norm_type is "batch_norm", but must be layer_norm or rms_norm',
    ),
    "size out of reach": (
        config("llm_config", hidden_size=10**12),
        "llm_config.hidden_size is 1000000000000, but must be a whole number from 1 to",
    ),
    "layers out of reach": (
        config("llm_config", num_hidden_layers=10**9),
        "llm_config.num_hidden_layers is 1000000000, but must be a whole number from 1 to 1024",
    ),
    "size is a flag": (config("llm_config", vocab_size=True), "llm_config.vocab_size is true"),
    "heads do not divide": (
        config("llm_config", num_attention_heads=7),
        "llm_config.num_attention_heads is 7, but must be a divisor of",
    ),
    "vision heads do not divide": (
        config("vision_config", num_attention_heads=7),
        "vision_config.num_attention_heads is 7, but must be a divisor of hidden_size",
    ),
    "tiles do not fit": (
        config(force_image_size=113),
        "force_image_size is 113, but must be a multiple of 28",
    ),
    "unknown rope": (
        config("llm_config", rope_scaling={"type": "yarn", "factor": 2.0}),
        'llm_config.rope_scaling.type is "yarn", but must be dynamic or linear',
    ),
    "config of a larger model": (
        config("llm_config", intermediate_size=512),
        "has shape [",
    ),
    "config of a deeper model": (
        config("llm_config", num_hidden_layers=3),
        "the checkpoint has no weight for model.language_model.layers.2.input_layernorm.weight",
    ),
    "missing weight": (
        weights(lambda found: found.pop(HEAD)),
        "the checkpoint has no weight for lm_head.weight (1 missing in all)",
    ),
    "unmatched weight": (
        weights(lambda found: found.update(extra=torch.zeros(1))),
        "weight extra of the checkpoint has no place in the model",
    ),
    "second weight": (
        weights(lambda found: found.update({"language_model.output.weight": found[HEAD] * 2})),
        "weight language_model.output.weight is a second one for lm_head.weight",
    ),
    "wrong shape": (
        weights(lambda found: found.update({"vision_model.encoder.layers.0.ls1": torch.ones(3)})),
        "weight vision_model.encoder.layers.0.ls1 has shape [3], but config.json asks for [",
    ),
    "wrong type": (
        weights(lambda found: found.update({HEAD: found[HEAD].to(torch.int8)})),
        "weight language_model.lm_head.weight is of type I8, but must be BF16",
    ),
    "the same weight twice": (
        lambda path: (
            shutil.copy(path / "model.safetensors", path / "again.safetensors"),
            index(a="model.safetensors", b="again.safetensors")(path),
        ),
        "is in another file of the folder too",
    ),
    "index is a list": (
        rewrite("model.safetensors.index.json", b"[]"),
        "model.safetensors.index.json is not a JSON object",
    ),
    "index of lists": (
        rewrite("model.safetensors.index.json", b'{"weight_map": {"a": ["b"]}}'),
        "weight_map does not name files of its own folder",
    ),
    "truncated": (cut, "model.safetensors is truncated or not a safetensors file"),
    "not safetensors": (
        rewrite("model.safetensors", b"\x80\x04pickle"),
        "model.safetensors is truncated or not a safetensors file",
    ),
    "no weights": (
        lambda path: (path / "model.safetensors").unlink(),
        "has no model.safetensors; download the weights",
    ),
    "pickled": (pickled, "has only pickled weights (pytorch_model.bin), which could run code"),
    "shard missing": (
        index(a="model-00001-of-00002.safetensors"),
        "model-00001-of-00002.safetensors is missing; download it again",
    ),
    "shard elsewhere": (
        index(a="../model.safetensors"),
        "weight_map does not name files of its own folder",
    ),
    "no image token": (
        lambda path: [
            (path / name).write_text("{}")
            for name in ("added_tokens.json", "tokenizer_config.json")
        ],
        "name no id for <IMG_CONTEXT> within the vocabulary",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    break_it, sentence = REFUSED[case]
    path = make_checkpoint(tmp_path / "checkpoint", backbone="qwen2")
    break_it(path)
    with pytest.raises(CheckpointError) as caught:
        load_model(path)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_dtype_is_refused(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, backbone="qwen2")
    with pytest.raises(CheckpointError, match=r"^dtype int8 is not supported; use bfloat16"):
        load_model(path, dtype="int8")


BOMB = "import pathlib; pathlib.Path({marker!r}).write_text('ran')\n"
LOAD_ALL = """
import sys, torch
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer
for path in sys.argv[1:]:
    load_model(path).generate(max_new_tokens=2, input_ids=torch.tensor([[5]]))
    load_tokenizer(path)("text")
"""


def plant(path: Path, marker: Path) -> None:
    """Put code wherever a library may look for some; it leaves `marker` when it runs."""
    settings = json.loads((path / "tokenizer_config.json").read_text())
    settings["auto_map"] = {"AutoTokenizer": ["tokenization_internlm2.Bomb", None]}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    (path / "custom_generate").mkdir()
    named = json.loads((path / "config.json").read_text())["auto_map"].values()
    modules = {value.split(".")[0] for value in named}
    for module in (*modules, "tokenization_internlm2", "custom_generate/generate", "torch"):
        (path / f"{module}.py").write_text(BOMB.format(marker=str(marker)))
    adapter = {"peft_type": "LORA", "base_model_name_or_path": str(path), "auto_mapping": {}}
    (path / "adapter_config.json").write_text(json.dumps(adapter))


def test_code_in_a_checkpoint_never_runs(tmp_path: Path) -> None:
    paths = [make_checkpoint(tmp_path / name, backbone=name) for name in BACKBONES]
    marker = tmp_path / "ran"
    for path in paths:
        plant(path, marker)
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, *map(str, paths)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not marker.exists()
