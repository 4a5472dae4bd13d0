"""A throwaway environment that has the built wheel and sees this environment's packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PROBE = Path(__file__).with_name("probe.py")
MARKER = "probe result: "
QUIET = {"XINFERENCE_HOME": "", "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True)
class Environment:
    """A virtual environment with an interpreter of its own."""

    root: Path

    @property
    def python(self) -> Path:
        return self.root / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def site_packages(self) -> Path:
        return next(self.root.glob("[Ll]ib/**/site-packages"))

    def run(
        self, *arguments: str, env: dict[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the environment's Python, without what this process was told by its environment."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("XINFERENCE_", "PYTHON"))
        }
        done = subprocess.run(
            [str(self.python), *arguments],
            env={**inherited, **(env or {})},
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def probe(self, name: str, home: Path, env: dict[str, str] | None = None) -> dict[str, Any]:
        """Run one function of `probe.py` in a fresh process and return what it found."""
        done = self.run(
            str(PROBE), name, env={**QUIET, "XINFERENCE_HOME": str(home), **(env or {})}
        )
        line = next(line for line in done.stdout.splitlines() if line.startswith(MARKER))
        found: dict[str, Any] = json.loads(line.removeprefix(MARKER))
        return found


def create(root: Path) -> Environment:
    """Make an empty virtual environment."""
    uv("venv", "--quiet", "--python", sys.executable, str(root))
    return Environment(root)


def show_packages_of_this_environment(environment: Environment) -> None:
    """Put the packages of the running interpreter behind those of `environment`."""
    paths = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    (environment.site_packages / "outer.pth").write_text("\n".join(paths) + "\n")


def show_packages_without(environment: Environment, *hidden: str) -> None:
    """Show the packages of the running interpreter, but for those whose names begin so."""
    shown = environment.root / "shown"
    shown.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name.startswith(hidden) or entry.suffix == ".pth":
            continue
        if entry.name == "xinference":
            # The host refuses a catalog behind a symbolic link.
            shutil.copytree(entry, shown / entry.name)
        else:
            (shown / entry.name).symlink_to(entry)
    (environment.site_packages / "shown.pth").write_text(f"{shown}\n")


def install(environment: Environment, wheel: Path) -> None:
    """Install a wheel, and nothing that it depends on."""
    uv("pip", "install", "--quiet", "--no-deps", "--python", str(environment.python), str(wheel))


def uv(*arguments: str) -> None:
    """Run uv, which the host depends on."""
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
