"""The versions of Xinference that are tested: all that names them names the same."""

from __future__ import annotations

import re

import pytest
import yaml

from xinference_internvl2.host.version_check import TESTED_HOSTS

from .environment import REPOSITORY

LISTED = re.compile(r"[Xx]inference ((?:\d+\.\d+\.\d+(?:, | and )?)+)")


@pytest.mark.parametrize("name", ["README.md", "docs/operate.rst", "pyproject.toml"])
def test_pages_name_what_the_plugin_was_tested_with(name: str) -> None:
    lists = LISTED.findall((REPOSITORY / name).read_text(encoding="utf-8"))
    assert sorted(re.findall(r"[\d.]+\d", " ".join(lists))) == sorted(TESTED_HOSTS)


def test_the_workflow_tests_them_and_the_newest() -> None:
    workflow = (REPOSITORY / ".github/workflows/hosts.yml").read_text(encoding="utf-8")
    tested = yaml.safe_load(workflow)["jobs"]["hosts"]["strategy"]["matrix"]["xinference"]
    assert tested == [*TESTED_HOSTS, "newest"]


def test_the_pinned_one_is_among_them() -> None:
    pins = (REPOSITORY / "tests/constraints.txt").read_text(encoding="utf-8")
    assert re.findall(r"^xinference==(.*)$", pins, re.MULTILINE) == [TESTED_HOSTS[-1]]
