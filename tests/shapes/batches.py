"""From samples to tensors, with the prompts and tiles that serving makes of the same requests.

All questions about one sample share its pictures: they stand one after the other in one row, and
each sees the pictures and itself alone, at the positions that it would have by itself.

Shapes use: B samples, L tokens of a row, T tiles, C image tokens of a tile, S side of a tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from xinference_internvl2.chat.build_prompt import build_prompt
from xinference_internvl2.families.find_prompt_format import find_prompt_format
from xinference_internvl2.tokenizer.image_tokens import image_tokens
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer, encode_segments

from .chats import make_messages
from .patch_labels import CELLS, MAX_TILES, Views, join_views, make_views_of
from .questions import Question
from .task import Sample

NO_LABEL = -100

Segments = list[tuple[str, bool]]


@dataclass(frozen=True)
class Encoder:
    """Turns text into ids: those of a tokenizer, or the rows of PIECES that they stand for."""

    tokenizer: InternVL2Tokenizer
    template: str
    rows: Sequence[int] | None = None

    def encode(self, segments: Segments) -> list[int]:
        ids = encode_segments(self.tokenizer, segments)
        return ids if self.rows is None else [self.rows[index] for index in ids]

    def encode_token(self, token: str) -> int:
        index = int(self.tokenizer.convert_tokens_to_ids(token))
        return index if self.rows is None else self.rows[index]


@dataclass(frozen=True)
class Batch:
    """`labels` (B, L) are the tokens of the answers at the places that predict them;
    `cells` (T, C) name the shape and colour that each image token sees, `zones` (T, C) where in
    the tile that shape is; `orders` (T, 2) are the places of a tile's picture among the pictures
    and of the tile in its picture."""

    pixel_values: torch.Tensor | None
    input_ids: torch.Tensor
    position_ids: torch.Tensor
    branches: torch.Tensor  # (B, L): 0 the shared part, then the questions; -1 padding
    labels: torch.Tensor
    cells: torch.Tensor
    zones: torch.Tensor
    orders: torch.Tensor
    questions: list[list[Question]]

    def make_mask(self) -> torch.Tensor:
        """What each token sees, True or False: (B, 1, L, L)."""
        asks, seen = self.branches[:, :, None], self.branches[:, None, :]
        length = self.branches.shape[1]
        earlier = torch.ones(length, length, dtype=torch.bool).tril()
        return (earlier & ((seen == 0) | (seen == asks)))[:, None]


@dataclass(frozen=True)
class _Row:
    ids: list[int]
    positions: list[int]
    branches: list[int]
    labels: list[int]
    views: list[Views]
    questions: list[Question]


def make_batches(
    samples: Sequence[Sample],
    encoders: Sequence[Encoder],
    size: int,
    max_tiles: int = MAX_TILES,
) -> list[Batch]:
    """Batches of `size` samples of about equal length, the encoders taken in turn."""
    rows = [_make_row(s, encoders[i % len(encoders)], max_tiles) for i, s in enumerate(samples)]
    rows.sort(key=lambda row: len(row.ids))
    return [_make_batch(rows[start : start + size]) for start in range(0, len(rows), size)]


def _make_row(sample: Sample, encoder: Encoder, max_tiles: int) -> _Row:
    views = make_views_of(sample, max_tiles)
    counts = [len(view.pixel_values) for view in views]
    row = _Row([], [], [], [], views, list(sample.questions))
    for branch, question in enumerate(sample.questions, 1):
        _append_question(row, branch, *_encode_question(sample, question, counts, encoder), encoder)
    return row


def _append_question(
    row: _Row, branch: int, prompt: list[int], answer: list[int], encoder: Encoder
) -> None:
    """Add a question: its text up to the pictures only if it is the first."""
    shared = _count_shared(prompt, encoder)
    start = shared if branch > 1 else 0
    ids = (prompt + answer)[:-1]
    labels = [NO_LABEL] * (len(prompt) - 1) + answer
    row.ids.extend(ids[start:])
    row.positions.extend(range(start, len(ids)))
    row.branches.extend([0] * (shared - start) + [branch] * (len(ids) - shared))
    row.labels.extend(labels[start:])


def _count_shared(prompt: list[int], encoder: Encoder) -> int:
    """Length of the part that does not depend on the question."""
    end = encoder.encode_token("</img>")
    return len(prompt) - prompt[::-1].index(end) if end in prompt else 0


def _encode_question(
    sample: Sample, question: Question, counts: list[int], encoder: Encoder
) -> tuple[list[int], list[int]]:
    """The prompt's ids and the answer's, the one that ends the turn included."""
    asked = make_segments(sample, question, counts, encoder.template)
    prompt = encoder.encode(asked)
    whole = encoder.encode([*asked, (question.answer, False)])
    if whole[: len(prompt)] != prompt:
        raise ValueError(f"the answer {question.answer!r} changes its prompt's tokens")
    end = encoder.encode_token(find_prompt_format(encoder.template).stop[0])
    return prompt, [*whole[len(prompt) :], end]


def make_segments(
    sample: Sample, question: Question, counts: Sequence[int], template: str
) -> Segments:
    """The prompt of a question about a sample whose pictures take `counts` tiles."""
    run = build_prompt(list(make_messages(sample, question)), template, frames=len(counts))
    left = iter(counts)
    return [
        (image_tokens(next(left) * CELLS**2), True) if piece.media else (piece.text, piece.trusted)
        for piece in run
    ]


def _make_batch(rows: list[_Row]) -> Batch:
    views = [view for row in rows for view in row.views]
    nothing = torch.zeros(0, CELLS**2, dtype=torch.long)
    seen = join_views(views) if views else Views(torch.zeros(0), nothing, nothing)
    return Batch(
        pixel_values=seen.pixel_values if views else None,
        input_ids=_pad([row.ids for row in rows], 0),
        position_ids=_pad([row.positions for row in rows], 0),
        branches=_pad([row.branches for row in rows], -1),
        labels=_pad([row.labels for row in rows], NO_LABEL),
        cells=seen.cells,
        zones=seen.zones,
        orders=torch.tensor(
            [order for row in rows for order in _list_orders(row)], dtype=torch.long
        ),
        questions=[row.questions for row in rows],
    )


def _list_orders(row: _Row) -> Iterator[tuple[int, int]]:
    for number, view in enumerate(row.views):
        for place in range(len(view.pixel_values)):
            yield number, place


def _pad(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    length = max(map(len, rows))
    return torch.tensor([row + [value] * (length - len(row)) for row in rows])


def grade_answers(batch: Batch, predicted: torch.Tensor) -> Iterator[tuple[Question, bool]]:
    """Each question of a batch and whether the tokens `predicted` (B, L) are its answer's."""
    wrong = (predicted != batch.labels) & (batch.labels != NO_LABEL)
    for row, questions in enumerate(batch.questions):
        for branch, question in enumerate(questions, 1):
            yield question, not bool(wrong[row, batch.branches[row] == branch].any())
