"""Chooses the LoRA adapter of a request, by its `lora_name`."""

from __future__ import annotations

from ..errors import RequestError


def choose_adapter(name: str | None, adapters: frozenset[str]) -> str | None:
    """Return the adapter that a request names, which is one of those launched; None for none.

    Raises:
        RequestError: the model has no adapter of that name.
    """
    if not name or name in adapters:
        return name or None
    known = ", ".join(sorted(adapters)) or "none"
    raise RequestError(
        f"lora_name {name[:100]} is not an adapter of this model, which was launched with {known}; "
        "name one of those, or none"
    )
