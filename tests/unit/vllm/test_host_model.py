"""The loader of the vLLM engine: what it hands to vLLM at a launch and with a request."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from xinference.model.llm.vllm.core import VLLMMultiModel

from xinference_internvl2.chat.request import ChatRequest
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.media.limits import MAX_FRAMES, MediaLimits
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.vllm import engine_args, host_model
from xinference_internvl2.vllm.host_model import InternVL2VLLMModel


def make_model(**attributes: Any) -> Any:
    """A model that has not been loaded."""
    model = object.__new__(InternVL2VLLMModel)
    vars(model).update(attributes)
    return model


@pytest.fixture
def sanitize(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a launch hands to vLLM, by the rank of its adapters and its language model."""
    monkeypatch.setattr(VLLMMultiModel, "_sanitize_model_config", lambda self, config: config)
    monkeypatch.setattr(engine_args, "platform", lambda: SimpleNamespace(is_cpu=lambda: False))
    monkeypatch.setattr(host_model, "family_of", lambda _: None)

    def run(given: dict[str, Any], rank: int = 0, **llm: Any) -> dict[str, Any]:
        published = {"num_attention_heads": 8, "max_position_embeddings": 32768}
        llm = {**published, "rope_parameters": {"rope_type": "default"}, **llm}
        model = make_model(
            _limits=MediaLimits(12, images=3, videos=2),
            _checkpoint=SimpleNamespace(llm=llm, quantization=None),
            _device_count=0,
            _n_worker=1,
            _lora_rank=rank,
            model_family=SimpleNamespace(context_length=8192),
        )
        found: dict[str, Any] = model._sanitize_model_config(given)
        return found

    return run


@pytest.mark.parametrize(("rank", "given", "most"), [(8, None, 8), (8, 16, 16), (16, 8, 16)])
def test_the_largest_rank_counts(sanitize: Any, rank: int, given: int | None, most: int) -> None:
    assert sanitize({"max_lora_rank": given}, rank)["max_lora_rank"] == most


@pytest.mark.parametrize(("positions", "most"), [(8191, 8191), (8192, 8192), (8193, 8192)])
def test_a_context_is_no_longer_than_the_positions(
    sanitize: Any, positions: int, most: int
) -> None:
    assert sanitize({}, max_position_embeddings=positions)["max_model_len"] == most
    assert sanitize({"max_model_len": 100})["max_model_len"] == 100


@pytest.mark.parametrize("kind", ["default", "dynamic", "longrope"])
def test_a_user_may_have_all_positions_and_no_more(sanitize: Any, kind: str) -> None:
    llm = {"max_position_embeddings": 512, "rope_parameters": {"rope_type": kind, "factor": 2.0}}
    assert sanitize({"max_model_len": 512}, **llm)["max_model_len"] == 512
    with pytest.raises(
        CheckpointError, match=r"max_model_len \(context_length\) 513 is more than .*, 512, beyond"
    ) as caught:
        sanitize({"max_model_len": 513}, **llm)
    # Where Transformers would refuse it as well, it is no remedy.
    assert ("Transformers engine" in str(caught.value)) == (kind != "default")


@pytest.mark.parametrize("length", ["8k", 0, -2, True, 8.0])
def test_a_length_that_is_none_is_refused(sanitize: Any, length: Any) -> None:
    with pytest.raises(CheckpointError, match=f"max_model_len {length!r} is not a whole number"):
        sanitize({"max_model_len": length})


@pytest.mark.parametrize("length", [1, -1])
def test_any_length_and_that_of_vllm_are_taken(sanitize: Any, length: int) -> None:
    assert sanitize({"max_model_len": length})["max_model_len"] == length


def test_frames_of_videos_are_images_for_vllm(sanitize: Any) -> None:
    assert sanitize({})["limit_mm_per_prompt"] == {"image": 3 + 2 * MAX_FRAMES}


def test_remote_code_is_not_run_whatever_is_asked(sanitize: Any) -> None:
    assert sanitize({})["trust_remote_code"] is False
    assert sanitize({"trust_remote_code": True})["trust_remote_code"] is False


@pytest.mark.parametrize("given", [{"a": 1}, '{"a": 1}'])
def test_the_family_is_named_beside_overrides_of_the_launch(
    sanitize: Any, monkeypatch: pytest.MonkeyPatch, given: Any
) -> None:
    assert sanitize({"hf_overrides": given})["hf_overrides"] == {"a": 1}
    family = SimpleNamespace(model_name="InternVL2.5")
    monkeypatch.setattr(host_model, "family_of", lambda _: family)
    named = {"internvl2_family": "InternVL2.5"}
    assert sanitize({"hf_overrides": given})["hf_overrides"] == {"a": 1, **named}
    assert sanitize({})["hf_overrides"] == named


@pytest.mark.parametrize("option", ["hf_overrides", "mm_processor_kwargs"])
def test_an_option_that_is_no_object_is_refused(sanitize: Any, option: str) -> None:
    with pytest.raises(CheckpointError, match=f"{option} 'a' is not a JSON object"):
        sanitize({option: "a", "max_dynamic_patch": 6})


def test_pictures_are_let_go_once_vllm_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_model, "translate_prompt", lambda request, _: [*request.tiles])
    monkeypatch.setattr(host_model, "translate_sampling", lambda _: None)
    model = make_model(_own_tokenizer=None, _stream_outputs=lambda _, prompt, *rest: prompt)
    tiles = [np.zeros((2, 3, 4, 4), np.uint8)]
    request = ChatRequest([1], [], SamplingParams(5), [], tiles=[*tiles])
    assert asyncio.run(model._generate("name", [], request)) == tiles
    assert request.tiles == []
