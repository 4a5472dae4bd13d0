"""The memory of the machine, and of a container on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from xinference_internvl2 import system_memory

TRIM = """
from xinference_internvl2.system_memory import trim
import numpy as np
def resident(): return int(open('/proc/self/statm').read().split()[1]) // 256
blocks = [np.ones(100_000, np.uint8) for _ in range(3_000)]
last = blocks[-1]; before = resident(); del blocks; trim(); print(before - resident())
"""


VERSIONS = {
    1: ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    2: ("memory.max", "memory.current", "memory.stat"),
}
CACHE = {1: "inactive_file 0\ntotal_inactive_file 300\n", 2: "inactive_file 300\n"}
ANY = [("5000\n", 5000, 4300), ("900\n", 900, 200), ("600\n", 600, 0)]


@pytest.mark.parametrize(
    ("version", "limit", "total", "free"),
    [
        (2, "max\n", 9000, 8000),
        (1, f"{(1 << 63) - 4096}\n", 9000, 8000),
        *((version, *each) for version in VERSIONS for each in ANY),
    ],
)
def test_a_container_may_have_less_than_the_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    limit: str,
    total: int,
    free: int,
) -> None:
    """Of the 1000 bytes in use, 300 are of files and given up on demand."""
    (tmp_path / "memory").mkdir()
    for name, text in zip(
        VERSIONS[version], (limit, "1000\n", f"anon 700\n{CACHE[version]}"), strict=True
    ):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(system_memory, "_CGROUP", tmp_path)
    memory = psutil.virtual_memory()._replace(total=9000, available=8000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert system_memory.memory() == (total, free)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have another C library")
def test_what_is_freed_goes_back_to_the_system() -> None:
    """Blocks below the size at which each is given back by itself, freed all but the last."""
    plugin = Path(system_memory.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", TRIM], cwd=plugin, capture_output=True, text=True)
    assert int(done.stdout) > 250, done.stderr
