"""The maker of small checkpoints against the goldens and the published configurations."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

pytest.importorskip("torch")
pytest.importorskip("sentencepiece")

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.tiny import PRESETS, Dims, make_checkpoint
from tests.tiny.dims import Backbone
from tests.tiny.weights import list_weight_shapes

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared" / "reference"
# Keys that only some of the published files have.
OPTIONAL = {"pad2square", "transformers_version"}


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def shapes(directory: Path) -> dict[str, tuple[int, ...]]:
    found = {}
    for path in directory.glob("model*.safetensors"):
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            found |= {name: tuple(file.get_slice(name).get_shape()) for name in names}
    return found


@pytest.mark.parametrize(
    ("backbone", "tokenizer"),
    [("qwen2", None), ("internlm2", None), ("phi3", None), ("llama", "yi"), ("llama", "llama3")],
)
def test_same_arguments_same_bytes(
    tmp_path: Path, backbone: Backbone, tokenizer: str | None
) -> None:
    first, again, other = (
        make_checkpoint(tmp_path / name, backbone=backbone, tokenizer=tokenizer, seed=seed)
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert files(first) == files(again)
    changed = {name for name, data in files(first).items() if files(other)[name] != data}
    assert changed == {"model.safetensors"}
    assert sum(map(len, files(first).values())) < 4_000_000


def test_same_bytes_in_another_process(tmp_path: Path) -> None:
    """Hash seeds and thread counts leave no trace."""
    here = make_checkpoint(tmp_path / "here", backbone="internlm2")
    command = [
        sys.executable,
        "-m",
        "tests.tiny",
        str(tmp_path / "there"),
        "--backbone",
        "internlm2",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "there")), done.stderr
    assert files(here) == files(tmp_path / "there")


@pytest.mark.parametrize("name", ["internlm2_2b", "phi3_4b"])
def test_names_and_shapes_agree_with_the_goldens(name: str) -> None:
    golden = SHARED / "goldens" / name
    if not golden.is_dir():
        pytest.skip(f"{golden} is absent")
    config = read(golden / "config.json")
    llm, vision = config["llm_config"], config["vision_config"]
    dims = Dims(
        hidden=llm["hidden_size"],
        layers=llm["num_hidden_layers"],
        heads=llm["num_attention_heads"],
        kv_heads=llm["num_key_value_heads"],
        intermediate=llm["intermediate_size"],
        vocab_size=llm["vocab_size"],
        vit_hidden=vision["hidden_size"],
        vit_layers=vision["num_hidden_layers"],
        vit_heads=vision["num_attention_heads"],
        vit_intermediate=vision["intermediate_size"],
    )
    assert list_weight_shapes(llm["model_type"], "300m", dims) == shapes(golden)


def key_tree(value: object) -> object:
    """Nested keys, without the values."""
    if isinstance(value, dict):
        return {key: key_tree(item) for key, item in value.items() if key not in OPTIONAL}
    return None


@pytest.mark.parametrize(
    ("name", "backbone"), [("InternVL2-1B", "qwen2"), ("InternVL2-2B", "internlm2")]
)
@pytest.mark.parametrize(
    "file",
    ["config.json", "generation_config.json", "special_tokens_map.json", "tokenizer_config.json"],
)
def test_configurations_have_the_published_keys(
    tmp_path: Path, name: str, backbone: Backbone, file: str
) -> None:
    published = SHARED / "hub" / name / file
    if not published.is_file():
        pytest.skip(f"{published} is absent")
    ours = read(make_checkpoint(tmp_path, backbone=backbone) / file)
    theirs = read(published)
    for config in (ours, theirs):  # ids differ with the vocabulary; what they name must not
        decoder = config.pop("added_tokens_decoder", {})
        config["tokens"] = [decoder[key] for key in sorted(decoder, key=int)]
    assert ours["tokens"] == theirs["tokens"]
    assert key_tree(ours) == key_tree(theirs)
    if file == "special_tokens_map.json":
        assert ours == theirs


def test_published_dimensions(tmp_path: Path) -> None:
    published = SHARED / "hub" / "InternVL2-1B" / "config.json"
    if not published.is_file():
        pytest.skip(f"{published} is absent")
    llm, vision = (read(published)[key] for key in ("llm_config", "vision_config"))
    dims = PRESETS["1b"]
    assert (dims.hidden, dims.layers, dims.intermediate, dims.vocab_size) == (
        *(llm["hidden_size"], llm["num_hidden_layers"]),
        *(llm["intermediate_size"], llm["vocab_size"]),
    )
    assert (dims.heads, dims.kv_heads) == (llm["num_attention_heads"], llm["num_key_value_heads"])
    assert (dims.vit_hidden, dims.vit_layers) == (
        vision["hidden_size"],
        vision["num_hidden_layers"],
    )
    parameters = sum(
        torch.Size(shape).numel() for shape in list_weight_shapes("qwen2", "300m", dims).values()
    )
    assert parameters == pytest.approx(938e6, rel=0.001)


@pytest.mark.parametrize("backbone", get_args(Backbone))
def test_weights_match_the_configuration_and_the_tokenizer(
    tmp_path: Path, backbone: Backbone
) -> None:
    path = make_checkpoint(tmp_path, backbone=backbone)
    llm = read(path / "config.json")["llm_config"]
    rows = {s[0] for name, s in shapes(path).items() if "emb" in name and "language_model" in name}
    added = read(path / "tokenizer_config.json")["added_tokens_decoder"]
    assert rows == {llm["vocab_size"]} == {max(map(int, added)) + 1}
    assert llm["hidden_size"] // llm["num_attention_heads"] >= 32
    if backbone == "phi3":
        half = llm["hidden_size"] // llm["num_attention_heads"] // 2
        scaling = llm["rope_scaling"]
        assert (len(scaling["short_factor"]), len(scaling["long_factor"])) == (half, half)


def test_shards_hold_the_same_weights(tmp_path: Path) -> None:
    whole = load_file(make_checkpoint(tmp_path / "a", backbone="qwen2") / "model.safetensors")
    path = make_checkpoint(tmp_path / "b", backbone="qwen2", shards=3)
    index = read(path / "model.safetensors.index.json")
    assert set(index["weight_map"]) == set(whole)
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in whole.values())
    assert len(set(index["weight_map"].values())) == 3
    for name, file in index["weight_map"].items():
        assert torch.equal(load_file(path / file)[name], whole[name])


def test_the_large_vision_model_has_its_own_weights(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, backbone="llama", vit="6b")
    names = {
        n.partition("layers.0.")[2] for n in shapes(path) if "vision_model.encoder.layers.0" in n
    }
    assert {"attn.q_norm.weight", "attn.k_norm.weight", "norm1.weight"} <= names
    assert not names & {"attn.qkv.bias", "norm1.bias", "norm2.bias"}
    vision = read(path / "config.json")["vision_config"]
    assert (vision["norm_type"], vision["qk_normalization"], vision["qkv_bias"]) == (
        "rms_norm",
        True,
        False,
    )


@pytest.mark.parametrize("backbone", get_args(Backbone))
def test_answers_depend_on_text_and_image(tmp_path: Path, backbone: Backbone) -> None:
    from xinference_internvl2.tokenizer.tokenizer import load_tokenizer
    from xinference_internvl2.transformers.model.from_checkpoint import load_model

    path = make_checkpoint(tmp_path, backbone=backbone)
    model, tokenizer = load_model(path), load_tokenizer(path)
    image = "<img>" + "<IMG_CONTEXT>" * PRESETS["tiny"].tokens_per_tile + "</img>\n"
    answers = []
    for question, shade in (("What?", -1.0), ("What?", 1.0), ("Who is it?", 1.0)):
        ids = torch.tensor([tokenizer(image + question).input_ids])
        pixels = torch.linspace(-1, 1, 112).expand(1, 3, 112, 112) + shade
        with torch.no_grad():
            logits = model(input_ids=ids, pixel_values=pixels.to(model.dtype)).logits
            answer = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                pixel_values=pixels.to(model.dtype),
                max_new_tokens=12,
                do_sample=False,
            )
        assert torch.isfinite(logits).all()
        assert 1 < logits.float().std() < 20
        answers.append(tuple(answer[0, ids.shape[1] :].tolist()))
    assert len(set(answers)) == 3
    assert all(len(set(answer)) > 3 for answer in answers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "gpt2"}, "backbone 'gpt2' is not one of"),
        ({"backbone": "qwen2", "dims": "3b"}, "dims '3b' is not one of"),
        ({"backbone": "qwen2", "hiden": 8}, "unknown dimension 'hiden'"),
        ({"backbone": "qwen2", "hidden": 130}, "hidden 130 and heads 4 do not fit"),
        ({"backbone": "qwen2", "image_size": 42}, "even number of patches"),
        ({"backbone": "qwen2", "tokenizer": "yi"}, "tokenizer 'yi' is not one of qwen2"),
        ({"backbone": "qwen2", "dtype": "int8"}, "dtype 'int8' is not one of"),
        ({"backbone": "qwen2", "vit": "1b"}, "vit '1b' is not one of"),
        ({"backbone": "qwen2", "shards": 0}, "shards 0 must be"),
        ({"backbone": "qwen2", "layers": 0}, "layers 0 must be"),
        ({"backbone": "qwen2", "vocab_size": 5}, "vocab_size 5 is less than"),
    ],
)
def test_arguments_that_do_not_fit(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_checkpoint(tmp_path / "new", **arguments)
