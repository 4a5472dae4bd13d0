"""Reads the body of a request, and checks the fields that its API knows before the host does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..errors import NO_TOOL_RESULT, NO_TOOLS, RequestError
from .api_call import ApiCall

MAX_DEPTH = 100


async def read_body(request: Any) -> dict[str, Any]:
    """Return the body of a request, which for all of the host's APIs is a JSON object.

    The request keeps the object, so the host gets the same one.

    Raises:
        RequestError: the body is no JSON object, is nested too deep, or names no model.
    """
    try:
        body = await request.json()
    except RecursionError:
        raise RequestError(_describe_depth()) from None
    except ValueError as error:
        raise RequestError(
            f"the body of the request is not JSON that can be read ({error}); send a JSON object"
        ) from None
    if not isinstance(body, dict):
        raise RequestError(f"the body of the request has to be a JSON object, not {body!r:.80}")
    _check_depth(body)
    if not isinstance(model := body.get("model"), str):
        raise RequestError(f"model has to be the UID of a launched model, not {model!r:.80}")
    return body


def normalize(body: dict[str, Any]) -> None:
    """Merge `extra_body` into the body, as clients do, and remove fields that are null.

    Raises:
        RequestError: `extra_body` is no object or contradicts a field, or `stream` is no flag.
    """
    further = body.pop("extra_body", None)
    if not isinstance(further, dict | None):
        raise RequestError(
            f"extra_body has to be an object with further options, not {further!r:.80}"
        )
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
    raise RequestError(_describe_depth())


def _children(value: Any) -> Iterable[Any]:
    values = value.values() if isinstance(value, dict) else value
    return (child for child in values if isinstance(child, dict | list))


def _describe_depth() -> str:
    return f"the body of the request is nested more than {MAX_DEPTH} levels deep; nest it less"


def refuse_tools(body: Mapping[str, Any]) -> None:
    """Refuse tools, for which the host would answer with a list of all models that call some.

    Raises:
        RequestError: the request has tools, or the result of one.
    """
    for name in ("tools", "functions"):
        if body.get(name):
            raise RequestError(f"{name} is not supported: {NO_TOOLS}; leave it out")
    messages = body.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict) and message.get("role") in ("tool", "function"):
            raise RequestError(f"messages[{index}]: {NO_TOOL_RESULT}")


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
