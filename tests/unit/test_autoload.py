"""The import hook: when it watches, and that it watches once."""

from __future__ import annotations

import sys

import pytest

from xinference_internvl2 import _autoload
from xinference_internvl2._autoload import HostFinder


@pytest.fixture
def finders(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The finders of this process without ours, which the host may have brought."""
    others = [finder for finder in sys.meta_path if type(finder).__name__ != "HostFinder"]
    monkeypatch.setattr(sys, "meta_path", others)
    return others


def test_the_hook_watches_once_and_first(finders: list[object]) -> None:
    before = [*finders]
    _autoload.install()
    _autoload.install()
    assert isinstance(finders[0], HostFinder)
    assert finders[1:] == before


@pytest.mark.parametrize(
    ("value", "watches"),
    [("0", False), (" OFF ", False), ("no", False), ("false", False), ("1", True), ("", True)],
)
def test_a_user_can_switch_it_off(
    finders: list[object], value: str, watches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_autoload.SWITCH, value)
    _autoload.install()
    assert isinstance(finders[0], HostFinder) is watches
