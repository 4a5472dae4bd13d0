"""`doctor PATH` and `doctor --ask`: what a folder holds, and all that is wrong with it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from tests.shapes.showcase import SHOWCASE
from tests.tiny import edit_config, make_checkpoint, quantize_awq
from xinference_internvl2.__main__ import main
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.demo.files import CHECKPOINT, PICTURES
from xinference_internvl2.demo.questions import QUESTIONS
from xinference_internvl2.doctor import checkpoint_report
from xinference_internvl2.doctor.ask import ask
from xinference_internvl2.doctor.devices import Device, find_devices
from xinference_internvl2.doctor.memory_from_shapes import estimate_memory
from xinference_internvl2.families.memory_estimate import Use
from xinference_internvl2.transformers.model import from_checkpoint
from xinference_internvl2.transformers.model.dtype import choose_dtype
from xinference_internvl2.transformers.model.from_checkpoint import load_model

MACHINE = [Device("cpu", "CPU", 64 * 10**9, 64 * 10**9)]


def test_a_whole_checkpoint() -> None:
    found = checkpoint_report.examine(CHECKPOINT, MACHINE, Use())
    assert found.problems == []
    assert found.status == 0
    assert found.about["Language model"] == "Qwen2ForCausalLM, 4 layers"
    assert found.about["Parameters"].endswith(" million")
    assert found.command
    assert found.command.endswith(f"--model-path {CHECKPOINT}")
    assert found.registration
    assert found.registration["model_specs"][0]["model_uri"] == CHECKPOINT.as_uri()
    # Six tiles of 56 pixels and a thumbnail.
    assert found.use.picture_tokens < 1000
    assert json.loads(checkpoint_report.as_json(found))["problems"] == []


def test_names_are_written_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "模型"
    folder.mkdir()
    assert str(folder) in checkpoint_report.as_json(
        checkpoint_report.examine(folder, MACHINE, Use())
    )


@pytest.mark.parametrize(("keys", "copied"), [(1, True), (-1, True), (0, False)])
def test_attention_copies_keys_that_query_heads_share(keys: int, copied: bool) -> None:
    """`keys` is the number of key heads; 0 and less are counted from that of the query heads."""
    config = read_config(CHECKPOINT)
    heads = config.llm["num_attention_heads"]
    llm = {**config.llm, "num_key_value_heads": keys if keys > 0 else heads + keys}
    found = estimate_memory(replace(config, llm=llm), {}).copies_per_token
    assert found == (4 * config.llm["hidden_size"] if copied else 0)


@pytest.mark.parametrize(
    ("tiles", "thumbnail", "expected"),
    [(1, True, 1), (1, False, 1), (2, True, 3), (2, False, 2), (12, True, 13)],
)
def test_several_tiles_may_have_a_thumbnail(tiles: int, thumbnail: bool, expected: int) -> None:
    config = replace(read_config(CHECKPOINT), max_tiles=tiles, use_thumbnail=thumbnail)
    assert checkpoint_report._adjust_use(config, Use()).tiles_per_picture == expected


@pytest.mark.parametrize(
    ("count", "words"),
    [(9_999_999, "10.00 million"), (10_000_000, "0.01 billion"), (938_158_976, "0.94 billion")],
)
def test_parameters_in_words(count: int, words: str) -> None:
    assert checkpoint_report._in_words(count) == words


def test_all_problems_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(CHECKPOINT, folder)
    wrong = {"ps_version": "v1", "min_dynamic_patch": 0, "use_thumbnail": 1, "invented": 2}
    edit_config(folder, lambda config: config.update(wrong))
    edit_config(folder, lambda config: config["vision_config"].update(norm_type="none"))
    edit_config(folder, lambda config: config["llm_config"].update(rms_norm_eps=0, vocab_size="x"))
    (folder / "vocab.json").unlink()
    (folder / "model.safetensors").unlink()
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text("raise SystemExit")
    for name in ("training_args.bin", "optimizer.pt", "rng_state_0.pth", "pytorch_model.bin"):
        (folder / name).write_text("")
    found = checkpoint_report.examine(folder, MACHINE, Use())
    named = [*wrong, "vision_config.norm_type", "rms_norm_eps", "vocab_size"]
    for name in (*named, "vocab.json", "only pickled weights (pytorch_model.bin)"):
        assert sum(name in problem for problem in found.problems) == 1, name
    assert len(found.problems) == len(named) + 2
    assert found.code == ["custom_generate/generate.py"]
    assert found.pickled == ["pytorch_model.bin"]
    assert found.status == 1
    text = "\n".join(checkpoint_report.as_text(found))
    assert text.count("✗") == len(found.problems)
    assert "Code, which is never run: custom_generate/generate.py" in text


def test_every_missing_or_broken_shard_is_named(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "shards", backbone="qwen2", shards=3)
    (folder / "training_args.bin").write_text("")
    first, second, _ = sorted(folder.glob("*.safetensors"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:-100])
    found = checkpoint_report.examine(folder, MACHINE, Use())
    assert len(found.problems) == 2
    assert f"{first.name} is missing" in found.problems[0]
    assert f"{second.name} is truncated" in found.problems[1]
    assert found.pickled == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model_type": "internvl"}, "take the repository whose name has no -hf"),
        ({"template": "invented"}, "template 'invented' is no prompt format"),
        ({"llm_config": None}, "llm_config is null, but must be an object"),
        ({"force_image_size": 57}, "force_image_size is 57, but must be a multiple of"),
    ],
)
def test_one_problem_brings_no_others(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(CHECKPOINT, folder)
    edit_config(folder, lambda config: config.update(change))
    found = checkpoint_report.examine(folder, MACHINE, Use())
    (problem,) = found.problems
    assert sentence in problem
    assert found.command is None


def test_a_folder_one_level_higher_names_the_right_one(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "inner", backbone="qwen2")
    problems = checkpoint_report.examine(tmp_path, MACHINE, Use()).problems
    assert problems[0] == f"{tmp_path} holds no config.json; did you mean {folder}?"


def test_awq(tmp_path: Path) -> None:
    folder = quantize_awq(make_checkpoint(tmp_path / "plain", backbone="internlm2"), tmp_path / "q")
    found = checkpoint_report.examine(folder, MACHINE, Use())
    assert found.problems == []
    assert {fit.quantization for fit in found.fits} == {"Int4"}
    assert {fit.model_format for fit in found.fits} == {"awq"}


def test_a_folder_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "/nowhere"]) == 1
    assert "/nowhere is not a directory" in capsys.readouterr().out


def test_the_pictures_of_the_demo_are_those_of_the_showcase() -> None:
    shown = {name: data for one in SHOWCASE for name, data in one.make_files().items()}
    asked = {(one.question.text, one.question.answer) for one in SHOWCASE}
    for question in QUESTIONS:
        assert (question.text, question.answer) in asked
        for name in question.pictures:
            assert (PICTURES / name).read_bytes() == shown[name]


def test_it_answers_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    question = QUESTIONS[0]
    assert main(["doctor", "--ask", str(PICTURES / "shapes.png"), question.text]) == 0
    assert capsys.readouterr().out.strip() == question.answer
    for wrong in ("/nowhere.png", __file__):
        assert main(["doctor", "--ask", wrong, question.text]) == 1
        assert capsys.readouterr().err.splitlines()[-1].startswith(wrong)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a GPU here")
def test_a_card_that_torch_does_not_see_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where torch is built for a CPU alone."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU-aa11, NVIDIA X, 24564, 24000'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert find_devices()[0].kind == "gpu"
    given: dict[str, Any] = {}

    def load(path: Path, **options: Any) -> Any:
        given.update(options)
        return load_model(path, **options)

    monkeypatch.setattr(from_checkpoint, "load_model", load)
    question = QUESTIONS[0]
    assert ask(None, PICTURES / "shapes.png", question.text) == question.answer
    own = getattr(torch, read_config(CHECKPOINT).dtype)
    assert given == {"dtype": choose_dtype(own, "cpu", torch.float32), "device_map": None}
