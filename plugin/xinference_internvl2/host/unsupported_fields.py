"""Refuses the fields of a request that its API does not have for our models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import RequestError
from .api_call import ApiCall


def check_keys(place: str, value: Any, known: Collection[str]) -> dict[str, Any]:
    """Check that an object of a request has only `known` keys, and return it; None becomes empty.

    Raises:
        RequestError: it is no object, or has another key, which the host would ignore.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError(
            f"{place} {value!r:.80} is not an object; send one with {', '.join(known)}"
        )
    for key in value:
        if key not in known:
            raise RequestError(f"{place}.{key} is not supported; leave it out")
    return value


def refuse_unless_neutral(
    call: ApiCall, neutral: Mapping[str, tuple[Any, ...]], remedy: str
) -> None:
    """Remove the options in `neutral`, which this API does not have.

    Args:
        neutral: option → the values that change nothing.
        remedy: for the message.

    Raises:
        RequestError: an option has another value.
    """
    for name in neutral:
        value = call.options.pop(name, None)
        if value is not None and not _is_one_of(value, neutral[name]):
            raise RequestError(f"{name} {value!r:.80} is not supported by this API; {remedy}")


def _is_one_of(value: Any, values: tuple[Any, ...]) -> bool:
    return any(
        value == each and isinstance(value, bool) == isinstance(each, bool) for each in values
    )
