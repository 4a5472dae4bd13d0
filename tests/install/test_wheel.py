"""The wheel's content, and what installing and uninstalling it does to an environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import environment
from .environment import Environment

PACKAGE = "xinference_internvl2"


def files(environment: Environment) -> set[str]:
    paths = environment.root.rglob("*")
    return {str(path.relative_to(environment.root)) for path in paths if path.name != ".lock"}


@pytest.mark.parametrize(
    "name",
    [
        f"{PACKAGE}.pth",
        f"{PACKAGE}/py.typed",
        f"{PACKAGE}/_autoload.py",
        f"{PACKAGE}/families/internvl2.json",
        f"{PACKAGE}/families/internvl2.runtime.json",
        f"{PACKAGE}/families/InternVL2.5-MPO.runtime.json",
        f"{PACKAGE}/transformers/host_model.py",
    ],
)
def test_has(names_in: list[str], name: str) -> None:
    assert name in names_in


def test_has_nothing_beside_the_package(names_in: list[str]) -> None:
    top = {name.split("/")[0] for name in names_in}
    assert {name for name in top if not name.endswith(".dist-info")} == {PACKAGE, f"{PACKAGE}.pth"}
    assert not [name for name in names_in if "test" in name or "generator" in name]


@pytest.mark.parametrize("editable", [False, True])
def test_uninstalling_leaves_nothing_behind(wheel: Path, tmp_path: Path, editable: bool) -> None:
    made = environment.create(tmp_path / "venv")
    before = files(made)
    source = ["--editable", str(environment.REPOSITORY)] if editable else [str(wheel)]
    pip = ["--quiet", "--python", str(made.python)]
    environment.uv("pip", "install", *pip, "--no-deps", *source)
    made.run("-c", "import xinference_internvl2.families.records")
    assert files(made) > before
    environment.uv("pip", "uninstall", *pip, "xinference-internvl2")
    assert files(made) == before
