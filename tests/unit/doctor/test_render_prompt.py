"""The command that shows the prompt of a request, and the context that it and a question have."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.chat.case import IM_SYSTEM
from xinference_internvl2.__main__ import main
from xinference_internvl2.demo.files import CHECKPOINT
from xinference_internvl2.doctor import ask
from xinference_internvl2.doctor.render_prompt import _build_served, render
from xinference_internvl2.errors import RequestError

IMAGE = "<img>" + "<IMG_CONTEXT>" * 4 + "</img>"


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    picture = tmp_path / "picture.png"
    Image.new("RGB", (20, 20), "red").save(picture)
    parts = [{"type": "image_url", "image_url": {"url": str(picture)}} for _ in range(2)]
    content = [{"type": "text", "text": "Look: "}, *parts]
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"messages": [{"role": "user", "content": content}], "n": 1}))
    return file


@pytest.mark.parametrize(
    ("options", "prompt"),
    [
        (
            [],
            f"{IM_SYSTEM}<|im_start|>user\nImage-1: {IMAGE}\nImage-2: {IMAGE}\nLook: <|im_end|>"
            "<|im_start|>assistant\n",
        ),
        (
            ["--image-labels", "false", "--system", "Be brief."],
            "<|im_start|>system\nBe brief.<|im_end|>"
            f"<|im_start|>user\nLook: {IMAGE}\n{IMAGE}\n<|im_end|><|im_start|>assistant\n",
        ),
    ],
)
def test_the_prompt_is_printed(
    request_file: Path, options: list[str], prompt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", str(CHECKPOINT), str(request_file), *options]) == 0
    assert capsys.readouterr().out == prompt + "\n"
    assert main(["render", str(CHECKPOINT), str(request_file), *options, "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.dumps(prompt, ensure_ascii=False) in printed
    found = json.loads(printed)
    assert (found["prompt"], found["tiles"]) == (prompt, [1, 1])
    assert len(found["prompt_token_ids"]) > 2 * 6


def refusal(text: str, monkeypatch: Any, capsys: Any) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["render", str(CHECKPOINT), "-"]) == 1
    return str(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "the request has no messages; give a chat request, or a list of messages"),
        ("5", "the request has no messages; give a chat request, or a list of messages"),
        (
            '{"messages": [{"role": "user", "content": "?"}], "tools": [{}]}',
            "tools is not supported: the model calls no tools; leave it out",
        ),
        (
            '[{"role": "user", "content": [{"type": "image_url", "image_url": "/none.png"}]}]',
            "messages[0].content[0].image_url cannot be fetched: /none.png: No such file",
        ),
    ],
)
def test_what_is_wrong_is_said(
    text: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(text, monkeypatch, capsys).startswith(sentence)


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_what_is_no_json_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    with pytest.raises(SystemExit):
        main(["render", str(CHECKPOINT), "-"])
    assert "- cannot be read as JSON: " in capsys.readouterr().err


def edited_checkpoint(folder: Path, template: str, max_positions: int) -> Path:
    """Return the demo's checkpoint without its weights, with two values changed."""
    path = folder / template
    shutil.copytree(CHECKPOINT, path, ignore=shutil.ignore_patterns("*.safetensors"))
    config = json.loads((path / "config.json").read_text("utf-8"))
    config["template"] = template
    config["llm_config"]["max_position_embeddings"] = max_positions
    (path / "config.json").write_text(json.dumps(config), "utf-8")
    return path


@pytest.mark.parametrize(
    ("template", "model_name", "length"),
    [
        ("Hermes-2", None, 32768),
        ("internvl2_5", None, 16384),
        ("internvl2_5", "InternVL2.5-MPO", 16384),
        ("internlm2-chat", "internvl-chat", 32768),
    ],
)
def test_the_context_is_that_of_the_family(
    template: str, model_name: str | None, length: int, tmp_path: Path
) -> None:
    path = edited_checkpoint(tmp_path, template, 1 << 20)
    assert _build_served(path, model_name, {}).context_length == length


def test_a_prompt_has_to_leave_room_in_the_context_of_the_checkpoint(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    tokens = len(render(CHECKPOINT, messages, None, {})["prompt_token_ids"])
    larger = edited_checkpoint(tmp_path / "larger", "Hermes-2", tokens + 1)
    assert len(render(larger, messages, None, {})["prompt_token_ids"]) == tokens
    full = edited_checkpoint(tmp_path / "full", "Hermes-2", tokens)
    with pytest.raises(RequestError, match=f"but the context length is {tokens}; send less text"):
        render(full, messages, None, {})


@pytest.mark.parametrize(("positions", "length"), [(100, 100), (8192, 8192), (8193, 8192)])
def test_a_question_has_the_context_of_the_checkpoint(
    positions: int, length: int, tmp_path: Path
) -> None:
    path = edited_checkpoint(tmp_path, "Hermes-2", positions)
    assert ask._build_served(path).context_length == length
