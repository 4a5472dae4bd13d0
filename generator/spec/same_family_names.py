"""Finds families of the same name in several files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..problems import Problem


def find_same_names(named: Iterable[tuple[str, str, tuple[int, int]]]) -> Iterator[Problem]:
    """Yield each family whose name is taken; given are names, their files and places in them."""
    # Without regard to case: labels of pages have none, and neither do the files of some systems.
    first: dict[str, str] = {}
    for name, file, place in named:
        if name.casefold() not in first:
            first[name.casefold()] = file
            continue
        message = f"{name!r} is already the family of {first[name.casefold()]}"
        yield Problem(file, *place, "$.model_name", f"{message}; rename one of the two")
