"""Values of launch options as a command line and a script give them, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.launch_option_values import read_flag, read_number


@pytest.mark.parametrize(
    ("given", "found"),
    [(True, True), ("true", True), ("False", False), (False, False), (None, True), ("none", True)],
)
def test_a_flag(given: Any, found: bool) -> None:
    assert read_flag({"x": given}, "x", default=True) is found


@pytest.mark.parametrize("given", ["yes", 1, "", []])
def test_what_is_no_flag(given: Any) -> None:
    with pytest.raises(CheckpointError, match=r"^x .* is not true or false$"):
        read_flag({"x": given}, "x")


@pytest.mark.parametrize(("given", "found"), [(1, 1), (4, 4), (None, 2)])
def test_a_number_within_its_bounds(given: Any, found: int) -> None:
    assert read_number({"x": given}, "x", 2, 1, 4) == found


@pytest.mark.parametrize("given", [0, 5, True, 2.0, "2"])
def test_what_is_no_number_within_them(given: Any) -> None:
    with pytest.raises(CheckpointError, match=r"^x .* is not a whole number from 1 to 4$"):
        read_number({"x": given}, "x", 2, 1, 4)
