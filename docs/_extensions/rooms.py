"""The rooms of a package, read from its code: what each module is, and which room needs which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

EVERYBODY_MAY_IMPORT = {
    "__init__",
    # The plugin's.
    *("errors", "launch_errors", "log_once", "patching", "system_memory"),
    *("sampling_params", "engine_outputs", "neutral_values", "launch_option_values"),
    # The generator's.
    *("problems", "wording", "paths"),
}
"""Rooms without arrows in a picture; `tests/unit/test_rooms.py` holds the others to theirs."""
SPLIT = {"transformers"}
"""Folders that are not one room: what lies in them are rooms of their own."""

Arrow = tuple[str, str]


@dataclass(frozen=True)
class House:
    """The modules of a package by name, as paths below it without `.py`, and its arrows."""

    modules: dict[str, ast.Module]
    imports: frozenset[Arrow]
    """(room, room that it imports)."""
    mentions: frozenset[Arrow]
    """(room, room of a module that it imports by a name in a string)."""

    @property
    def rooms(self) -> list[str]:
        """The rooms with an arrow, those that need nothing first."""
        rooms = {room for arrow in self.imports | self.mentions for room in arrow}
        return sorted(rooms, key=lambda room: (self.floor(room), room))

    def floor(self, room: str) -> int:
        """How many imports one after the other lead down from a room, at most."""
        return max((1 + self.floor(low) for low in self._next(room)), default=0)

    def needed(self) -> set[Arrow]:
        """The imports that do not follow from others, by way of a third room."""
        return {
            (high, low)
            for high, low in self.imports
            if not any(low in self._below(via) for via in self._next(high))
        }

    def _next(self, room: str) -> set[str]:
        return {low for high, low in self.imports if high == room}

    def _below(self, room: str) -> set[str]:
        found = self._next(room)
        return found.union(*map(self._below, found))

    def described(self) -> Iterator[tuple[str, str, str]]:
        """Yield room, module and what the module says of itself in its first sentence."""
        for name, code in self.modules.items():
            text = (ast.get_docstring(code) or "").split("\n\n")[0].translate({10: " ", 96: None})
            yield room_of(name), name, text


@cache
def read(package: Path) -> House:
    """Return the house of the package in a folder."""
    modules = {
        path.relative_to(package).with_suffix("").as_posix(): ast.parse(path.read_bytes())
        for path in sorted(package.rglob("*.py"))
    }
    arrows: dict[bool, set[Arrow]] = {True: set(), False: set()}
    for name, code in modules.items():
        for by_name, other in _named(package.name, name, code):
            if by_name and other not in modules:
                continue
            arrow = room_of(name), room_of(_module(other, modules))
            if arrow[0] != arrow[1] and not EVERYBODY_MAY_IMPORT.intersection(arrow):
                arrows[by_name].add(arrow)
    return House(modules, frozenset(arrows[False]), frozenset(arrows[True] - arrows[False]))


def room_of(module: str) -> str:
    """Return the room in which a module lies; a module outside of all is one by itself."""
    parts = module.split("/")
    return "/".join(parts[:2]) if parts[0] in SPLIT and len(parts) > 1 else parts[0]


def _module(name: str, modules: dict[str, ast.Module]) -> str:
    """Return the module that has something of this name, or is it."""
    while name and name not in modules:
        if f"{name}/__init__" in modules:
            return f"{name}/__init__"
        name = name.rpartition("/")[0]
    return name or "__init__"


def _named(package: str, module: str, code: ast.Module) -> Iterator[tuple[bool, str]]:
    """Yield what a module imports of its package, functions included, and names in strings."""
    folder = [package, *module.split("/")]
    for node in ast.walk(code):
        if isinstance(node, ast.ImportFrom) and node.level:
            source = [*folder[1 : -node.level], *(node.module or "").split(".")]
            for alias in node.names:
                yield False, "/".join(filter(None, [*source, alias.name]))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted = node.value.removeprefix(f"{package}.").strip(".")
            if dotted.count(".") in (1, 2) and dotted.replace(".", "").isidentifier():
                yield True, dotted.replace(".", "/")
