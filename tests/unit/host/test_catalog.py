"""The plugin's records beside those of a catalog that Xinference downloads."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from xinference_internvl2.families import records, withdrawn
from xinference_internvl2.host import catalog


@pytest.fixture(autouse=True)
def whole() -> Iterator[None]:
    """Afterwards no family is withdrawn."""
    yield
    withdrawn.restore()


@pytest.mark.parametrize(("seconds", "ours"), [(-1, True), (0, True), (1, False)])
def test_only_a_newer_record_wins(seconds: int, ours: bool) -> None:
    updated_at = records.read_registration("internvl2")["updated_at"] + seconds
    downloaded = SimpleNamespace(model_name="internvl2", updated_at=updated_at)
    catalog._yield_to_newer("catalog.json", [downloaded])
    assert withdrawn.is_withdrawn("internvl2") is not ours


def test_other_records_and_those_without_a_date_win_nothing() -> None:
    undated = SimpleNamespace(model_name="internvl2")
    other = SimpleNamespace(model_name="other", updated_at=1 << 40)
    catalog._yield_to_newer("catalog.json", [undated, other])
    assert not any(map(withdrawn.is_withdrawn, ("internvl2", "other")))
