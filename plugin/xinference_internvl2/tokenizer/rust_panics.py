"""Turns a panic of the tokenizer library, which is written in Rust, into an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def translate_panics(error: Exception) -> Iterator[None]:
    """Raise `error` where the Rust library panics, which `except Exception` does not catch."""
    try:
        yield
    except BaseException as panic:
        kind = type(panic)
        if (kind.__module__, kind.__name__) != ("pyo3_runtime", "PanicException"):
            raise
        raise error from None
