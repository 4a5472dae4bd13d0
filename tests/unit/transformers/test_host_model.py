"""The loader of the Transformers engine: where a model is put, and how many answers it takes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("transformers")

import torch

from tests.tiny import make_checkpoint
from xinference_internvl2.chat.request import ChatRequest
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.errors import CheckpointError, RequestError
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer
from xinference_internvl2.transformers import host_model
from xinference_internvl2.transformers.engine.engine_limits import EngineLimits
from xinference_internvl2.transformers.host_model import InternVL2TransformersModel
from xinference_internvl2.transformers.model import from_checkpoint


def make_model(**attributes: Any) -> Any:
    """A model that has not been loaded."""
    model = object.__new__(InternVL2TransformersModel)
    vars(model).update(attributes)
    return model


def test_as_many_answers_as_are_written_at_once_and_one_more_are_told_apart() -> None:
    engine = SimpleNamespace(limits=EngineLimits(2), generate=lambda prompt, *rest: prompt.ids)
    model = make_model(_engine=engine)

    def ask(n: int) -> Any:
        return asyncio.run(model._generate(ChatRequest([7], [], SamplingParams(5, n=n), [])))

    assert ask(2) == [7]
    with pytest.raises(RequestError, match="n 3 is more than the 2 answers"):
        ask(3)


@pytest.mark.parametrize(
    ("cards", "accelerated", "where"),
    [(0, True, {"": "cpu"}), (1, True, "auto"), (1, False, {"": "cpu"})],
)
def test_a_model_is_spread_over_cards_where_there_is_one(
    cards: int, accelerated: bool, where: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(host_model, "gpu_count", lambda: cards)
    monkeypatch.setattr(host_model, "is_hf_accelerate_supported", lambda device: accelerated)
    monkeypatch.setattr(host_model, "load_adapters", lambda *_: None)
    monkeypatch.setattr(host_model, "speed_up", lambda *_: None)
    monkeypatch.setattr(
        from_checkpoint, "load_model", lambda path, **options: asked.update(options) or "a model"
    )
    model = make_model(
        _pytorch_model_config={"device": "cpu"},
        _checkpoint=SimpleNamespace(dtype="float32"),
        _peft_model=None,
        quantization="none",
        model_path="/checkpoint",
    )
    assert model._load_model() == "a model"
    assert asked["device_map"] == where
    assert (asked["dtype"], asked["quantization_config"]) == (torch.float32, None)


@pytest.mark.parametrize("length", ["4096", -1, 32769])
def test_a_context_length_that_cannot_be_is_refused(tmp_path: Path, length: Any) -> None:
    checkpoint = read_config(make_checkpoint(tmp_path, backbone="qwen2"))
    model = make_model(
        _pytorch_model_config={"context_length": length},
        _checkpoint=checkpoint,
        _tokenizer=load_tokenizer(tmp_path, checkpoint.llm["vocab_size"]),
        _peft_model=None,
        model_family=SimpleNamespace(
            model_name="internvl2", model_family="internvl2", context_length=32768
        ),
    )
    with pytest.raises(CheckpointError, match=f"^context_length '?{length}'? is .*; use "):
        model._build_served()
