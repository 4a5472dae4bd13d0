"""The command that shows the prompt of a request, without a server."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.chat.cases import IM_SYSTEM
from xinference_internvl2.__main__ import main
from xinference_internvl2.demo.questions import CHECKPOINT
from xinference_internvl2.doctor.render import CONTEXT
from xinference_internvl2.families.records import FAMILIES

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
    found = json.loads(capsys.readouterr().out)
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


def test_the_context_is_the_longest_of_all_families() -> None:
    lengths = [
        record["context_length"]
        for file in FAMILIES.glob("*.json")
        if not file.name.endswith(".runtime.json")
        for record in json.loads(file.read_text("utf-8"))
    ]
    assert max(lengths) == CONTEXT
