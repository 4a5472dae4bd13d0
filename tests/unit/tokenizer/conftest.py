"""Tokenizers of all kinds, loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.tiny.tokenizer_files import write_tokenizer
from tests.unit.tokenizer.files import GOLDENS, HUB, KINDS, LEGACY, SHARED, edit_config
from tests.unit.tokenizer.reference import (
    SlowByteLevel,
    SlowSentencePiece,
    SlowTokenizer,
)
from xinference_internvl2.tokenizer.tokenizer import (
    InternVL2Tokenizer,
    load_tokenizer,
)


@pytest.fixture(scope="session")
def directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {name: SHARED / "hub" / name for name in HUB}
    found |= {name: SHARED / "goldens" / name for name in GOLDENS}
    for kind in (*KINDS, LEGACY):
        found[kind] = tmp_path_factory.mktemp(kind)
        write_tokenizer(found[kind], kind.partition("-")[0])
    edit_config(found[LEGACY], legacy=True)
    return found


@pytest.fixture(scope="session")
def load(directories: dict[str, Path]):
    """Both tokenizers of a name, loaded once."""
    cache: dict[str, tuple[InternVL2Tokenizer, SlowTokenizer]] = {}

    def pair(name: str) -> tuple[InternVL2Tokenizer, SlowTokenizer]:
        if not directories[name].is_dir():
            pytest.skip(f"{directories[name]} is absent")
        if name not in cache:
            sentencepiece = (directories[name] / "tokenizer.model").is_file()
            slow = SlowSentencePiece if sentencepiece else SlowByteLevel
            cache[name] = load_tokenizer(directories[name]), slow(directories[name])
        return cache[name]

    return pair
