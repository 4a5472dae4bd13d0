"""`python -m tests.shapes.train DIRECTORY`: train the tiny InternVL2 from nothing, on the CPU.

The directory gets `state.pt`, from which an interrupted training goes on.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from tests.tiny.control_tokens import KINDS

from .auxiliary_losses import AuxiliaryHeads, sum_cross_entropy
from .backbone_tokenizers import find_rows, make_tokenizer
from .batches import NO_LABEL, Batch, Encoder, make_batches
from .evaluate import compute_accuracy, evaluate, format_report, make_held_out
from .model import compute_hidden_states, make_model
from .patch_labels import Views, make_views
from .task import Media, draw_samples

LAYOUTS = ("qwen2", "internlm2", "phi3")  # ChatML without and with BOS, and Phi-3's own
MIX: dict[Media, float] = {
    "tile": 0.14,
    "picture": 0.44,
    "pair": 0.22,
    "video": 0.16,
    "text": 0.04,
}
WARM_UP = 0.02  # of all steps
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Settings:
    """How to train. The first `sight_steps` teach the vision tower alone, and cost less than half
    of the others; of a batch, `micro_batch_size` samples are in memory at once."""

    steps: int = 4500
    sight_steps: int = 800
    batch_size: int = 32
    micro_batch_size: int = 16
    learning_rate: float = 1.5e-3
    seed: int = 0


@dataclass(frozen=True)
class Lesson:
    """Pictures of one tile to look at, and questions to answer."""

    views: Views
    batches: list[Batch]


class Lessons(Dataset[Lesson]):
    """What each step learns from: always the same, in whatever process it is made."""

    def __init__(self, settings: Settings, encoders: Sequence[Encoder]) -> None:
        self._settings, self._encoders = settings, encoders

    def __len__(self) -> int:
        return self._settings.steps

    def __getitem__(self, step: int) -> Lesson:
        settings = self._settings
        seed = settings.seed * 1_000_000 + step
        tiles = draw_samples("train", seed, [("tile", 1.0)])
        if step < settings.sight_steps:
            return Lesson(make_views(list(islice(tiles, 3 * settings.batch_size))), [])
        drawn = list(islice(draw_samples("train", seed, list(MIX.items())), settings.batch_size))
        views = make_views(list(islice(tiles, settings.batch_size)))
        return Lesson(views, make_batches(drawn, self._encoders, settings.micro_batch_size))


def make_encoders() -> list[Encoder]:
    """Encoders for the layouts that occur, all with the ids of PIECES."""
    encoders = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in LAYOUTS:
            tokenizer = make_tokenizer(Path(folder) / kind, kind)
            encoders.append(Encoder(tokenizer, KINDS[kind].template, find_rows(tokenizer, kind)))
    return encoders


class Trainer:
    """A model, its auxiliary heads, and their optimizer."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.step = settings, 0
        self.model = make_model(settings.seed)
        self.auxiliary = AuxiliaryHeads()
        named = [*self.model.named_parameters(), *self.auxiliary.named_parameters()]
        groups = [
            {"params": [p for n, p in named if p.ndim > 1 and "embed" not in n]},
            {"params": [p for n, p in named if p.ndim <= 1 or "embed" in n], "weight_decay": 0},
        ]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.05)

    def train_step(self, lesson: Lesson) -> tuple[float, float]:
        """Take one step; return the losses of answers, and of what image tokens see."""
        self.optimizer.zero_grad()
        seen = self._train_sight(lesson.views)
        answered = self._train_answers(lesson.batches) if lesson.batches else 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = self._compute_learning_rate()
        nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        self.step += 1
        return answered, seen

    def _train_sight(self, views: Views) -> float:
        features = self.model.model.get_image_features(views.pixel_values).pooler_output
        loss = self.auxiliary.compute_sight_loss(features, views) / views.cells.numel()
        loss.backward()
        return loss.item()

    def _train_answers(self, batches: list[Batch]) -> float:
        answers = sum(int((b.labels != NO_LABEL).sum()) for b in batches)
        cells = sum(b.cells.numel() for b in batches) or 1
        total = 0.0
        for batch in batches:
            states = compute_hidden_states(self.model, batch)
            places = batch.labels != NO_LABEL
            loss = sum_cross_entropy(self.model.lm_head(states.last[places]), batch.labels[places])
            total += loss.item()
            loss = loss / answers
            if states.features is not None and states.halfway is not None:
                sight_loss = self.auxiliary.compute_sight_loss(states.features, batch)
                loss = loss + sight_loss / cells
                order_loss = self.auxiliary.compute_order_loss(states.halfway, batch.orders)
                loss = loss + order_loss / cells
            loss.backward()
        return total / answers

    def _compute_learning_rate(self) -> float:
        """Return the rate of this step: up in a straight line, down along a cosine."""
        done = self.step / self.settings.steps
        if done < WARM_UP:
            return self.settings.learning_rate * (self.step + 1) / (WARM_UP * self.settings.steps)
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def save(self, path: Path) -> None:
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        torch.save({"step": self.step, **parts}, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def load(self, path: Path) -> None:
        saved: dict[str, Any] = torch.load(path, weights_only=True)
        self.step = saved["step"]
        for name in _PARTS:
            getattr(self, name).load_state_dict(saved[name])


_PARTS = ("model", "auxiliary", "optimizer")


def train(
    directory: Path, settings: Settings, *, report_every: int = 50, evaluated: int = 500
) -> Trainer:
    """Train, or go on from `directory/state.pt`; print progress, and the accuracies at the end.

    Args:
        report_every: steps from one line of progress to the next.
        evaluated: held-out samples of each medium.
    """
    directory.mkdir(parents=True, exist_ok=True)
    trainer, encoders, state = Trainer(settings), make_encoders(), directory / "state.pt"
    if state.exists():
        trainer.load(state)
    left = range(trainer.step, settings.steps)
    loader = DataLoader(Lessons(settings, encoders), None, sampler=left, num_workers=1)
    start, quick = time.monotonic(), make_held_out(encoders, max(1, evaluated // 10), seed=1)
    for lesson in loader:
        answers, sight = trainer.train_step(lesson)
        if trainer.step % report_every:
            continue
        minutes = (time.monotonic() - start) / 60
        line = f"step {trainer.step} of {settings.steps}, {minutes:.1f} min: "
        line += f"loss of answers {answers:.3f}, of sight {sight:.3f}"
        if trainer.step % (4 * report_every) == 0:
            trainer.save(state)
            scores = evaluate(trainer.model, quick)
            line += "".join(f", {media} {compute_accuracy(scores, media):.1%}" for media in scores)
        print(line, flush=True)
    trainer.save(state)
    print(format_report(evaluate(trainer.model, make_held_out(encoders, evaluated))), flush=True)
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser("tests.shapes.train", description=__doc__)
    parser.add_argument("directory", type=Path)
    for name, field in Settings.__dataclass_fields__.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(field.default), default=field.default)
    options = vars(parser.parse_args())
    torch.set_num_threads(1)  # the other core makes the batches
    train(options.pop("directory"), Settings(**options))


if __name__ == "__main__":
    main()
