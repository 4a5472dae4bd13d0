"""How well the committed checkpoint sees what it was never trained on, quantized and not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import BitsAndBytesConfig

from tests.shapes.batches import Batch, Encoder, grade_answers, make_batches
from tests.shapes.chats import CHECKPOINT
from tests.shapes.evaluate import EVALUATED, Scores, compute_accuracy, evaluate, make_held_out
from tests.shapes.model import predict
from tests.shapes.patch_labels import MAX_TILES
from tests.shapes.showcase import SHOWCASE, Exhibit
from tests.shapes.task import draw_samples
from tests.tiny import quantize_awq
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.media.frame_choice import frame_indices
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer
from xinference_internvl2.transformers.model.from_checkpoint import load_model

SAMPLES = 40  # of each medium, with up to eight questions each
LEAST = {"picture": 0.95, "pair": 0.85, "video": 0.85, "text": 1.0}
MEGABYTES = 8


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(load_tokenizer(CHECKPOINT), read_config(CHECKPOINT).template)


@pytest.fixture(scope="module")
def unseen(encoder: Encoder) -> Mapping[str, list[Batch]]:
    return make_held_out([encoder], SAMPLES, seed=2)


@pytest.fixture(scope="module")
def scores(unseen: Mapping[str, list[Batch]]) -> Scores:
    return evaluate(load_model(CHECKPOINT, dtype="float32"), unseen)


def overall(scores: Scores) -> float:
    """Accuracy on all questions that a picture or several were asked about."""
    media = [media for media in EVALUATED if media != "text"]
    return sum(compute_accuracy(scores, name) for name in media) / len(media)


@pytest.mark.parametrize("media", EVALUATED)
def test_the_checkpoint_sees(scores: Scores, media: str) -> None:
    assert compute_accuracy(scores, media) >= LEAST[media]


@pytest.mark.parametrize(("bits", "loss"), [(8, 0.02), (4, 0.05)])
def test_bitsandbytes_sees_as_well(
    unseen: Mapping[str, list[Batch]], scores: Scores, bits: int, loss: float
) -> None:
    pytest.importorskip("bitsandbytes")
    options: dict[str, Any] = {f"load_in_{bits}bit": True}
    quantized = load_model(CHECKPOINT, quantization_config=BitsAndBytesConfig(**options))
    assert overall(evaluate(quantized, unseen)) >= overall(scores) - loss


def test_awq_sees_as_well(
    tmp_path: Path, unseen: Mapping[str, list[Batch]], scores: Scores
) -> None:
    pytest.importorskip("gptqmodel")
    quantized = load_model(quantize_awq(CHECKPOINT, tmp_path / "awq"))
    assert overall(evaluate(quantized, unseen)) >= overall(scores) - 0.02


def test_wide_pictures_need_their_tiles(encoder: Encoder) -> None:
    """What is small in a wide picture is in one of its tiles, and lost in its thumbnail."""
    drawn = islice(draw_samples("held-out", 3, [("picture", 1.0)]), 400)
    wide = [s for s in drawn if s.pictures[0].width > 2.5 * s.pictures[0].height]
    model = load_model(CHECKPOINT, dtype="float32")
    tiled, squeezed = (
        compute_accuracy(
            evaluate(model, {"picture": make_batches(wide, [encoder], 16, most)}), "picture"
        )
        for most in (MAX_TILES, 1)
    )
    assert tiled >= LEAST["picture"] - 0.05
    assert squeezed <= tiled - 0.15


@pytest.mark.parametrize("exhibit", SHOWCASE, ids=lambda exhibit: exhibit.name)
def test_the_showcase_is_answered_right(encoder: Encoder, exhibit: Exhibit) -> None:
    sample = exhibit.sample
    if sample.media == "video":
        frames = [sample.pictures[index] for index in frame_indices(len(sample.pictures), 8)]
        sample = replace(sample, pictures=tuple(frames))
    (batch,) = make_batches([sample], [encoder], 1)
    model = load_model(CHECKPOINT, dtype="float32")
    ((_, right),) = grade_answers(batch, predict(model, batch))
    assert right


def test_the_checkpoint_is_small() -> None:
    size = sum(file.stat().st_size for file in CHECKPOINT.iterdir())
    assert size <= MEGABYTES * 1_000_000
