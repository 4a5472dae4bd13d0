"""Who imports whom within the generator: rooms import downwards, and in no circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import generator

PACKAGE = Path(generator.__file__).parent
ROOMS = {
    "problems": {"generator"},
    "family": {"generator", "problems"},
    "spec": {"generator", "problems", "family"},
    "outputs": {"generator", "problems", "family", "spec"},
    "importing": {"generator", "problems", "family", "spec"},
    "cli": {"generator", "problems", "family", "spec", "outputs", "importing"},
    "__main__": {"cli", "problems", "outputs"},
    "generator": set(),
    "run": set(),
}
"""What each room may import beside itself; `generator` is the package's own root."""
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    """Yield the modules of the generator that a module imports, by their dotted names."""
    here = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*here[: len(here) + 1 - node.level], *filter(None, [node.module]))
            for alias in node.names:
                whole = PACKAGE.joinpath(*base, f"{alias.name}.py")
                yield ".".join((*base, alias.name) if whole.exists() else base)
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("generator") for alias in node.names)


def _room(module: str) -> str:
    return module.split(".")[0] or "generator"


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_rooms_import_downwards(path: Path) -> None:
    room = "generator" if _name(path) == "__init__" else _room(_name(path))
    assert {_room(module) for module in _imports(path)} <= ROOMS[room] | {room}


def test_no_circle() -> None:
    graph = {_name(path): set(_imports(path)) - {_name(path)} for path in MODULES}
    assert list(TopologicalSorter(graph).static_order())


def test_modules_and_functions_are_short() -> None:
    for path in MODULES:
        text = path.read_text("utf-8")
        assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 40, (path, node.name)
