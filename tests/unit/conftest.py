"""Fixtures for the unit tests of several rooms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer


@pytest.fixture(scope="session", params=["qwen2", "internlm2"])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> InternVL2Tokenizer:
    """Return the tokenizer of a tiny checkpoint: a byte-level BPE, and one of SentencePiece."""
    # Imported here, since most unit tests need none of it.
    from tests.tiny import make_checkpoint
    from xinference_internvl2.tokenizer.tokenizer import load_tokenizer

    folder: Path = tmp_path_factory.mktemp(request.param)
    return load_tokenizer(make_checkpoint(folder / "x", backbone=request.param))
