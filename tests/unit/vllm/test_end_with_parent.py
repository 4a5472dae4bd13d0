"""A process whose parent is killed ends too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

CODE = """
import multiprocessing, sys, time
from xinference_internvl2.vllm.end_with_parent import end_with_parent

def work():
    end_with_parent()
    print("started", flush=True)
    time.sleep(60)

if __name__ == "__main__":
    end_with_parent()
    child = multiprocessing.get_context("spawn").Process(target=work)
    child.start()
    print(child.pid, flush=True)
    child.join()
"""


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(CODE)
    path = {"PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, tmp_path / "parent.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=path) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert parent.stdout.readline() == "started\n"
        assert child.is_running()
        parent.kill()
    assert psutil.wait_procs([child], timeout=30)[1] == []
