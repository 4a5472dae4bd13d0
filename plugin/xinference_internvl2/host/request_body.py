"""Reads the body of a request: what is no JSON object for a model is the client's fault."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import RequestError

MAX_DEPTH = 100


async def read_body(request: Any) -> dict[str, Any]:
    """Return the JSON object that a request of any of the host's APIs has to be.

    The request keeps it, so the host reads this very object.

    Raises:
        RequestError: it is no such object, or its fields that the host reads unchecked are not
            what the host takes them for.
    """
    try:
        body = await request.json()
    except RecursionError:
        raise RequestError(_too_deep()) from None
    except ValueError as error:
        raise RequestError(
            f"the body of the request is not JSON that can be read: {error}"
        ) from None
    if not isinstance(body, dict):
        raise RequestError("the body of the request has to be a JSON object")
    _check_depth(body)
    if not isinstance(body.get("model"), str):
        raise RequestError("model has to be a string, the UID of a launched model")
    return body


def normalize(body: dict[str, Any]) -> None:
    """Put what is in `extra_body` beside it, as clients do, and take out what is null.

    Raises:
        RequestError: `extra_body` is no object, or contradicts what stands beside it.
    """
    further = body.pop("extra_body", None)
    if not isinstance(further, dict | None):
        raise RequestError("extra_body has to be an object with further options")
    for name, value in (further or {}).items():
        if body.setdefault(name, value) != value:
            raise RequestError(f"extra_body.{name} contradicts {name}; give only one")
    for name in [name for name, value in body.items() if value is None]:
        del body[name]
    if not isinstance(stream := body.get("stream", False), bool):
        raise RequestError(f"stream {stream!r:.80} is not true or false")


def _check_depth(body: dict[str, Any]) -> None:
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise RequestError(_too_deep())


def _children(value: Any) -> Iterable[Any]:
    values = value.values() if isinstance(value, dict) else value
    return (child for child in values if isinstance(child, dict | list))


def _too_deep() -> str:
    return f"the body of the request is nested more than {MAX_DEPTH} levels deep"
