"""`make bench`: speed and memory as ratios, each against a baseline measured in the same run."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from tests.install import environment
from tests.support.host import find_package
from tests.tiny import make_checkpoint

from .bench_engines import engines
from .bench_prefill import prefill

REPOSITORY = Path(__file__).resolve().parents[2]

# Run in a process of its own; prints seconds, bytes of peak memory beyond the libraries.
LOAD = """
import json, sys, time
import torch
from safetensors.torch import load_file
from xinference_internvl2.transformers.model.from_checkpoint import load_model

def memory(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024

def read(tensors):
    # Both ways map the file; only this brings it into memory.
    for tensor in tensors:
        torch.empty_like(tensor).copy_(tensor)

path, ours = sys.argv[1], sys.argv[2] == "ours"
before = memory("VmRSS")
start = time.perf_counter()
read(load_model(path).parameters() if ours else load_file(path + "/model.safetensors").values())
print(json.dumps([time.perf_counter() - start, memory("VmHWM") - before]))
"""


# Runs a command and prints the most memory that it had, in bytes.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""

BUILD: list[str | Path] = [sys.executable, "-m", "generator", "build", "--output"]


def report(what: str, ours: float, baseline: float, unit: str, aim: str) -> None:
    print(f"{what}: {ours:.3f} {unit} / {baseline:.3f} {unit} = {ours / baseline:.3f} (aim: {aim})")


def timed(command: Sequence[str | Path]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def in_turn(
    runs: int, first: Callable[[], float], second: Callable[[], float]
) -> tuple[float, float]:
    """Medians of both, measured in turn so that the machine's drift meets both."""
    pairs = [(first(), second()) for _ in range(runs)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def interpreter_start(work: Path) -> None:
    """Two empty environments; one has the wheel."""
    bare, ours = (environment.create(work / name).python for name in ("bare", "ours"))
    environment.uv("build", "--quiet", "--wheel", "--out-dir", str(work), str(REPOSITORY))
    wheel = next(work.glob("*.whl"))
    environment.uv("pip", "install", "--quiet", "--no-deps", "--python", str(ours), str(wheel))
    for python in (bare, ours):
        timed([python, "-c", "pass"])
    with_plugin, without = in_turn(
        60, lambda: timed([ours, "-c", "pass"]), lambda: timed([bare, "-c", "pass"])
    )
    report("interpreter start, with the plugin / without", with_plugin, without, "s", "")
    print(f"    difference: {(with_plugin - without) * 1000:.2f} ms (aim: at most 1 ms)")


def build(work: Path) -> None:
    host = [sys.executable, "-c", "import xinference.model.llm"]
    ours, baseline = in_turn(
        5, lambda: timed([*BUILD, tempfile.mkdtemp(dir=work)]), lambda: timed(host)
    )
    report(
        "generator build from scratch / import xinference.model.llm",
        *(ours, baseline, "s", "at most 0.050"),
    )


def catalog(work: Path) -> None:
    """Every family of the host's catalog as a spec of ours."""
    host = [sys.executable, "-c", "import xinference.model.llm"]
    registrations = sorted((find_package() / "model/llm/models").glob("*.json"))
    timed([sys.executable, "-m", "generator", "import", *registrations, "-o", work / "specs"])
    specs = sorted((work / "specs").glob("*.yaml"))
    scratch, baseline = in_turn(
        5, lambda: timed([*BUILD, tempfile.mkdtemp(dir=work), *specs]), lambda: timed(host)
    )
    what = f"generator build of {len(specs)} families"
    report(f"{what} from scratch / import xinference.model.llm", scratch, baseline, "s", "")
    print(f"    {scratch:.2f} s (aim: at most 2 s)")
    again = median(timed([*BUILD, work / "built", *specs]) for _ in range(6))
    print(f"    when nothing changed: {again:.2f} s (aim: at most 1 s)")
    measured = [sys.executable, "-c", PEAK, *BUILD, work / "built", *specs]
    peak = int(subprocess.run(measured, check=True, capture_output=True, text=True).stdout)
    print(f"    peak memory: {peak / 1e6:.0f} MB (aim: at most 200 MB)")


def load(work: Path) -> None:
    path = make_checkpoint(work / "checkpoint", backbone="internlm2", dims="2b")
    size = (path / "model.safetensors").stat().st_size

    def measured(which: str) -> tuple[float, float]:
        command = [sys.executable, "-c", LOAD, str(path), which]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, memory = json.loads(done.stdout.splitlines()[-1])
        return seconds, memory

    measured("baseline")
    runs = [(measured("ours"), measured("baseline")) for _ in range(5)]
    seconds = [median(run[side][0] for run in runs) for side in (0, 1)]
    memory = median(run[0][1] for run in runs)
    name = f"load_model and reading all weights / load_file and the same ({size / 1e9:.2f} GB)"
    report(name, seconds[0], seconds[1], "s", "at most 2")
    report("    peak memory / size of the file", memory / 1e9, size / 1e9, "GB", "at most 1.3")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="internvl2-bench-") as folder:
        for benchmark in (interpreter_start, build, catalog, load, prefill, engines):
            work = Path(folder) / benchmark.__name__
            work.mkdir()
            benchmark(work)


if __name__ == "__main__":
    main()
