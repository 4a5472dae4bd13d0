"""What the generator's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.outputs import build_record

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def base() -> str:
    """A small valid spec."""
    return Path(__file__).with_name("base.yaml").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def record(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The record of the last build: none yet, and none of what tests build in the checkout."""
    path = tmp_path_factory.mktemp("record") / "build/generator.sha256"
    monkeypatch.setattr(build_record, "RECORD", path)
    return path
