"""Tells our loader classes whether a launch brings a virtual environment with their libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def set_virtual_env(virtual_env: bool | None) -> Iterator[None]:
    """Tell loaders in the body whether there will be a virtual environment; None is the default.

    The host does so for its engine query, but not for a launch.
    """
    from xinference.model.utils import virtualenv_discovery_var

    token = virtualenv_discovery_var.set(virtual_env)
    try:
        yield
    finally:
        virtualenv_discovery_var.reset(token)
