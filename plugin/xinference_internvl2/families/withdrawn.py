"""The families that this process leaves to Xinference, because its own catalog has them."""

from __future__ import annotations

_withdrawn: set[str] = set()


def withdraw(model_name: str) -> None:
    """Leave a family to the host in this process: our loaders no longer match it."""
    _withdrawn.add(model_name)


def restore() -> None:
    """Undo every `withdraw()`, for when the host builds its catalog anew."""
    _withdrawn.clear()


def is_withdrawn(model_name: str) -> bool:
    """Whether the family is left to the host in this process."""
    return model_name in _withdrawn
