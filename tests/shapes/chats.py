"""Samples as requests to a server: a module that needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .questions import Question
from .task import Sample

CHECKPOINT = Path(__file__).resolve().parents[2] / "plugin/xinference_internvl2/demo/checkpoint"
"""The trained model in the layout of Qwen2, as the 1B repositories have it."""


def make_messages(
    sample: Sample, question: Question, urls: Sequence[str] = ("-", "-")
) -> Iterator[dict[str, Any]]:
    """The request that asks the question; `urls` are those of its pictures or its video."""
    if sample.system is not None:
        yield {"role": "system", "content": sample.system}
    field = "video_url" if sample.media == "video" else "image_url"
    count = 1 if sample.media == "video" else len(sample.pictures)
    parts = [{"type": field, field: {"url": url}} for url in urls[:count]]
    earlier = question.after
    first = question if earlier is None else earlier
    yield {"role": "user", "content": [*parts, {"type": "text", "text": first.text}]}
    if earlier is not None:
        yield {"role": "assistant", "content": earlier.answer}
        yield {"role": "user", "content": question.text}
