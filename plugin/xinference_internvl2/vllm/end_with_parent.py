"""Ends a process of vLLM when the process that started it has ended.

By itself the engine goes on when the process of its model is killed, and its memory is missing when
the model is started again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from functools import cache
from multiprocessing.process import BaseProcess


@cache
def end_with_parent() -> None:
    """Watch the parent process, and end this one as soon as it has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait, args=(parent,), name="parent", daemon=True).start()


def _wait(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
