"""Confines a process that decodes files of strangers."""

from __future__ import annotations

from contextlib import suppress


def confine(memory: int, cpu_seconds: int | None = None) -> None:
    """From here on this process can open neither a file nor a socket, nor take more than `memory`
    bytes of address space, nor `cpu_seconds` of a processor.

    So what its libraries import only when it is needed has to be imported before.
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


def count_address_space() -> int:
    """Return the bytes of address space that this process has taken; 0 where that is not told."""
    with suppress(ImportError, OSError), open("/proc/self/statm") as statm:
        import resource

        return int(statm.read().split()[0]) * resource.getpagesize()
    return 0
