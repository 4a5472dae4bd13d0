"""Confines the process of a decoder: a hostile file can open nothing and not take all memory."""

from __future__ import annotations

import signal
from contextlib import suppress

DECODER_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
}
"""The environment of a decoder: threads of libraries would use up its bounded address space, and
the memory of a large image has to go back to the system."""


def confine(memory: int, cpu_seconds: int | None = None) -> None:
    """Let this process open no more files and sockets, and bound what it may use.

    Modules that a library imports only when it needs them have to be imported before.

    Args:
        memory: bytes of address space, what is in use already included.
        cpu_seconds: of processor time; None sets no bound.
    """
    # There is no such module on Windows, and not every limit on macOS.
    with suppress(ImportError):
        import resource

        limits = {
            resource.RLIMIT_NOFILE: 0,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_AS: memory,
        }
        if cpu_seconds is not None:
            limits[resource.RLIMIT_CPU] = cpu_seconds
        for name, limit in limits.items():
            with suppress(ValueError, OSError):
                resource.setrlimit(name, (limit, limit))


def limit_seconds(seconds: float) -> None:
    """End this process once it has computed for `seconds`; 0 takes the limit away."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def count_address_space() -> int:
    """Return the bytes of address space of this process; 0 where the system does not tell."""
    with suppress(ImportError, OSError), open("/proc/self/statm") as statm:
        import resource

        return int(statm.read().split()[0]) * resource.getpagesize()
    return 0
