"""The plugin's records beside those of a catalog that Xinference downloads."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from xinference_internvl2.families import records, withdrawn
from xinference_internvl2.host import catalog
from xinference_internvl2.host.no_remote_code import FamilyWithoutRemoteCode


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


@pytest.mark.parametrize("also_ours", [False, True])
def test_a_family_that_the_host_has_is_left_to_it(also_ours: bool) -> None:
    """Also where ours is there already, as when a catalog is read into a list that is in use."""
    families: list[Any] = [SimpleNamespace(model_name="internvl2")]
    if also_ours:
        families.append(FamilyWithoutRemoteCode.construct(model_name="internvl2"))
    catalog._add_families(lambda path, found: None, families)
    withdrawn_names = [name for name in records.load_runtimes() if withdrawn.is_withdrawn(name)]
    assert withdrawn_names == ["internvl2"]
