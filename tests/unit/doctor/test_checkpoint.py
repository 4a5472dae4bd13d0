"""`doctor PATH` and `doctor --ask`: what a folder holds, and all that is wrong with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.shapes.showcase import SHOWCASE
from tests.tiny import edit_config, make_checkpoint, quantize_awq
from xinference_internvl2.__main__ import main
from xinference_internvl2.demo.files import CHECKPOINT, PICTURES, QUESTIONS
from xinference_internvl2.doctor import checkpoint
from xinference_internvl2.doctor.devices import Device
from xinference_internvl2.families.memory import Use

MACHINE = [Device("cpu", "CPU", 64 * 10**9, 64 * 10**9)]


def test_a_whole_checkpoint() -> None:
    found = checkpoint.examine(CHECKPOINT, MACHINE, Use())
    assert found.problems == []
    assert found.status == 0
    assert found.about["Language model"] == "Qwen2ForCausalLM, 4 layers"
    assert found.command
    assert found.command.endswith(f"--model-path {CHECKPOINT}")
    assert found.registration
    assert found.registration["model_specs"][0]["model_uri"] == CHECKPOINT.as_uri()
    # Six tiles of 56 pixels and a thumbnail.
    assert found.use.picture_tokens < 1000
    assert json.loads(checkpoint.as_json(found))["problems"] == []


def test_all_problems_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(CHECKPOINT, folder)
    edit_config(folder, lambda config: config.update(model_type="internvl"))
    (folder / "vocab.json").unlink()
    (folder / "model.safetensors").unlink()
    (folder / "modeling_internvl_chat.py").write_text("raise SystemExit")
    found = checkpoint.examine(folder, MACHINE, Use())
    assert len(found.problems) == 3
    for name in ("model_type", "vocab.json", "model.safetensors"):
        assert any(name in problem for problem in found.problems), name
    assert found.not_read == ["modeling_internvl_chat.py"]
    assert found.status == 1
    text = "\n".join(checkpoint.as_text(found))
    assert text.count("✗") == 3


def test_awq(tmp_path: Path) -> None:
    folder = quantize_awq(make_checkpoint(tmp_path / "plain", backbone="internlm2"), tmp_path / "q")
    found = checkpoint.examine(folder, MACHINE, Use())
    assert found.problems == []
    assert {fit.quantization for fit in found.fits} == {"Int4"}
    assert {fit.model_format for fit in found.fits} == {"awq"}


def test_a_folder_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "/nowhere"]) == 1
    assert "/nowhere is not a directory" in capsys.readouterr().out


def test_the_pictures_of_the_demo_are_those_of_the_showcase() -> None:
    shown = {name: data for one in SHOWCASE for name, data in one.files().items()}
    asked = {(one.question.text, one.question.answer) for one in SHOWCASE}
    for question in QUESTIONS:
        assert (question.text, question.answer) in asked
        for name in question.pictures:
            assert (PICTURES / name).read_bytes() == shown[name]


def test_it_answers_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    question = QUESTIONS[0]
    assert main(["doctor", "--ask", str(PICTURES / "shapes.png"), question.text]) == 0
    assert capsys.readouterr().out.strip() == question.answer
    assert main(["doctor", "--ask", "/nowhere.png", question.text]) == 1
    assert "/nowhere.png" in capsys.readouterr().err
