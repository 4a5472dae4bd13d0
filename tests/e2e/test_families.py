"""Each family is launched by its own name, and answers right under its own prompt format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from xinference.client import RESTfulClient

from tests.shapes.export import export, read_state
from tests.shapes.showcase import CONTENTS, draw_shapes
from tests.support.host import Host
from tests.support.served import Served, data_uri, image_message, request_launch, wait_until_ready
from tests.tiny.dims import Backbone
from xinference_internvl2.chat.build_prompt import render
from xinference_internvl2.families.find_prompt_format import find_prompt_format
from xinference_internvl2.families.records import PromptFormat
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer

from .conftest import ENGINES, VLLM_AT_ONCE

pytestmark = pytest.mark.e2e
# The size and the prompt format of a checkpoint of the family, and its language model. What
# `internvl2` answers, and every row of its matrix, is asked elsewhere.
CHECKPOINTS: dict[str, tuple[int, str, Backbone]] = {
    "InternVL2.5": (1, "internvl2_5", "qwen2"),
    "InternVL2.5-MPO": (2, "internvl2_5", "internlm2"),
    "internvl-chat": (2, "internlm2-chat", "internlm2"),
}
QUESTION = {"role": "user", "content": "How many corners does a triangle have?"}
OPTIONS = {"vLLM": VLLM_AT_ONCE}
# InternVL2.5-MPO has the prompt format of InternVL2.5, and vLLM reads it in the same way.
LAUNCHED = [
    (family, engine)
    for engine in ENGINES
    for family in CHECKPOINTS
    if (family, engine) != ("InternVL2.5-MPO", "vLLM")
]


def make(folder: Path, family: str) -> Path:
    """A checkpoint that sees, with the template that the family's checkpoints name."""
    _, template, backbone = CHECKPOINTS[family]
    path = export(folder, backbone, read_state())
    config = json.loads((path / "config.json").read_text("utf-8"))
    (path / "config.json").write_text(json.dumps({**config, "template": template}), "utf-8")
    return path


@pytest.fixture(
    scope="module",
    params=LAUNCHED,
    ids="-".join,
)
def launched(
    request: pytest.FixtureRequest, host: Host, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, PromptFormat]]:
    family, engine = request.param
    size, template, _ = CHECKPOINTS[family]
    path, uid = make(tmp_path_factory.mktemp("family"), family), f"{family}-{engine}"
    request_launch(
        host,
        uid,
        model_name=family,
        model_engine=engine,
        model_size_in_billions=size,
        model_format="pytorch",
        quantization="none",
        model_path=str(path),
        **OPTIONS.get(engine, {}),
    )
    yield wait_until_ready(Served(host, uid, path)), find_prompt_format(template, family)
    RESTfulClient(host.url).terminate_model(uid)


def test_answers_are_right_under_the_prompt_format_of_the_family(
    launched: tuple[Served, PromptFormat],
) -> None:
    served, prompt_format = launched
    answer = served.chat(QUESTION, temperature=0)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("three", "stop")
    # The system text makes the difference between a format of one family and that of another.
    prompt = render([QUESTION], prompt_format).text
    ids = load_tokenizer(served.checkpoint)(prompt)["input_ids"]
    assert answer.usage.prompt_tokens == len(ids)
    shown = image_message("What is in the picture?", data_uri(draw_shapes()))
    answer = served.chat(shown, temperature=0, max_tokens=32)
    assert answer.choices[0].message.content == CONTENTS
