"""Extends a function of another library once per process, or logs that it is not there."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

from .log_once import log_once

MARK = "_xinference_internvl2"
"""The attribute of a function that has been extended."""


def patch(owner: Any, name: str, extend: Callable[[Any], Any], *, without: str) -> bool:
    """Replace the function `owner.name` by `extend(owner.name)`, and return whether this call did.

    A second call changes nothing. Where there is no such function, one error is logged.

    Args:
        owner: a module or a class. A class method is replaced by one bound to this class.
        extend: takes the original function and returns the one that stands in its place.
        without: for the log, what does not work without the function, and the remedy.
    """
    original = getattr(owner, name, None)
    if not callable(original):
        log_once(logging.ERROR, f"There is no {_qualified_name(owner)}.{name}, so {without}.")
        return False
    if hasattr(original, MARK):
        return False
    replacement = functools.wraps(original)(extend(original))
    setattr(replacement, MARK, True)
    static = isinstance(inspect.getattr_static(owner, name), staticmethod | classmethod)
    setattr(owner, name, staticmethod(replacement) if static else replacement)
    return True


def _qualified_name(owner: Any) -> str:
    return f"{owner.__module__}.{owner.__name__}" if inspect.isclass(owner) else owner.__name__
