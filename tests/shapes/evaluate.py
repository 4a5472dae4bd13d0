"""`python -m tests.shapes.evaluate CHECKPOINT`: accuracy on held-out samples, by kind."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer
from xinference_internvl2.transformers.model.from_checkpoint import load_model

from .batches import Batch, Encoder, grade_answers, make_batches
from .model import predict
from .task import Media, draw_samples

EVALUATED: tuple[Media, ...] = ("picture", "pair", "video", "text")
TEXTS = 8
Scores = Mapping[str, Mapping[str, tuple[int, int]]]
"""Medium → kind of question → right and all."""


def make_held_out(
    encoders: Sequence[Encoder], count: int, seed: int = 0
) -> dict[Media, list[Batch]]:
    """`count` samples of each medium that no training has seen; of texts there are few."""
    counts = {media: min(count, TEXTS) if media == "text" else count for media in EVALUATED}
    drawn = {media: draw_samples("held-out", seed, [(media, 1.0)]) for media in EVALUATED}
    return {
        media: make_batches(list(islice(drawn[media], counts[media])), encoders, 16)
        for media in EVALUATED
    }


def evaluate(model: Any, batches: Mapping[Media, Iterable[Batch]]) -> Scores:
    """An answer is right if the model, left alone, would give it to the last token."""
    scores: dict[str, dict[str, tuple[int, int]]] = {}
    for media, found in batches.items():
        kinds: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for batch in found:
            for question, right in grade_answers(batch, predict(model, batch)):
                good, total = kinds[question.kind]
                kinds[question.kind] = good + right, total + 1
        scores[media] = dict(kinds)
    return scores


def compute_accuracy(scores: Scores, media: str) -> float:
    """The part of a medium's questions that were answered right."""
    return sum(good for good, _ in scores[media].values()) / sum(
        total for _, total in scores[media].values()
    )


def format_report(scores: Scores) -> str:
    """A table of accuracies, in percent."""
    lines = []
    for media, kinds in scores.items():
        lines.append(f"{media:<10} {compute_accuracy(scores, media):6.1%}")
        lines += [f"  {kind:<16} {good / n:6.1%} of {n}" for kind, (good, n) in kinds.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser("tests.shapes.evaluate", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="directory in the original format")
    parser.add_argument("--samples", type=int, default=500, help="of each medium")
    options = parser.parse_args()
    config = read_config(options.checkpoint)
    encoder = Encoder(load_tokenizer(options.checkpoint), config.template)
    model = load_model(options.checkpoint)
    print(format_report(evaluate(model, make_held_out([encoder], options.samples))))


if __name__ == "__main__":
    main()
