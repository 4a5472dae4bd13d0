"""The loader of the vLLM engine: what it hands to vLLM at a launch and with a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from xinference.model.llm.vllm.core import VLLMMultiModel

from xinference_internvl2.media.limits import MAX_FRAMES, MediaLimits
from xinference_internvl2.vllm import engine_args, host_model
from xinference_internvl2.vllm.host_model import InternVL2VLLMModel


def make_model(**attributes: Any) -> Any:
    """A model that has not been loaded."""
    model = object.__new__(InternVL2VLLMModel)
    vars(model).update(attributes)
    return model


@pytest.fixture
def sanitize(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a launch hands to vLLM, by the rank of its adapters and the window of its checkpoint."""
    monkeypatch.setattr(VLLMMultiModel, "_sanitize_model_config", lambda self, config: config)
    monkeypatch.setattr(engine_args, "platform", lambda: SimpleNamespace(is_cpu=lambda: False))
    monkeypatch.setattr(engine_args, "trained_length", lambda *_: 8192)
    monkeypatch.setattr(host_model, "family_of", lambda _: None)
    monkeypatch.setattr(engine_args, "choose_guidance", lambda config: config)

    def run(given: dict[str, Any], rank: int = 0, **llm: Any) -> dict[str, Any]:
        llm = {"num_attention_heads": 8, "max_position_embeddings": 32768, **llm}
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


def test_a_window_is_switched_off_unless_the_launch_says_otherwise(sanitize: Any) -> None:
    assert "disable_sliding_window" not in sanitize({})
    assert sanitize({}, sliding_window=32768)["disable_sliding_window"] is True
    given = {"disable_sliding_window": False}
    assert sanitize(given, sliding_window=32768)["disable_sliding_window"] is False


@pytest.mark.parametrize(("rank", "given", "most"), [(8, None, 8), (8, 16, 16), (16, 8, 16)])
def test_the_largest_rank_counts(sanitize: Any, rank: int, given: int | None, most: int) -> None:
    assert sanitize({"max_lora_rank": given}, rank)["max_lora_rank"] == most


@pytest.mark.parametrize(("positions", "most"), [(8191, 8191), (8192, 8192), (8193, 8192)])
def test_a_context_is_no_longer_than_the_positions(
    sanitize: Any, positions: int, most: int
) -> None:
    assert sanitize({}, max_position_embeddings=positions)["max_model_len"] == most
    assert sanitize({"max_model_len": 100})["max_model_len"] == 100


def test_frames_of_videos_are_images_for_vllm(sanitize: Any) -> None:
    assert sanitize({})["limit_mm_per_prompt"] == {"image": 3 + 2 * MAX_FRAMES}
    assert sanitize({})["trust_remote_code"] is False
