"""A model that is shared by cards, on one worker and on two, by the host's own executor."""

from __future__ import annotations

import sys

import pytest

from tests.shapes.chats import CHECKPOINT
from tests.shapes.showcase import CONTENTS

from .conftest import needs_vllm, printed

pytestmark = [
    pytest.mark.e2e,
    needs_vllm,
]


@pytest.mark.parametrize(
    ("workers", "tensor", "pipeline"),
    [(1, 2, 1), (2, 1, 2)],
    ids=["one worker", "two workers"],
)
def test_two_cards_share_a_model(workers: int, tensor: int, pipeline: int) -> None:
    """Our entry point is active in the process of every card, and what they are given agrees."""
    command = [sys.executable, "-m", "tests.engines.processes.two_cards", CHECKPOINT, str(workers)]
    found = printed(command, "answers:", {}, timeout=450)
    assert found == {"tensor": tensor, "pipeline": pipeline, "text": CONTENTS}
