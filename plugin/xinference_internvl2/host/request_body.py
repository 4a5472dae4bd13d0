"""Reads the body of a request, and checks the fields that its API knows before the host does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..errors import NO_TOOL_RESULT, NO_TOOLS, RequestError
from .api_call import ApiCall

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


def refuse_tools(body: Mapping[str, Any]) -> None:
    """The host would answer with a list of all its models that call tools.

    Raises:
        RequestError: the request has tools, or the call or the result of one.
    """
    for name in ("tools", "functions"):
        if body.get(name):
            raise RequestError(f"{name} is not supported: {NO_TOOLS}; leave it out")
    messages = body.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict) and message.get("role") in ("tool", "function"):
            raise RequestError(f"messages[{index}]: {NO_TOOL_RESULT}")


def check_keys(place: str, value: Any, known: Collection[str]) -> dict[str, Any]:
    """Return an object of a request that has only `known` keys; one that is not there is empty.

    Raises:
        RequestError: it is no object, or the host would ignore one of its keys.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError(f"{place} {value!r:.80} is not an object")
    for key in value:
        if key not in known:
            raise RequestError(f"{place}.{key} is not supported; leave it out")
    return value


def refuse_unless_neutral(
    call: ApiCall, neutral: Mapping[str, tuple[Any, ...]], remedy: str
) -> None:
    """Take out of a request's options what its API has no place for.

    Raises:
        RequestError: such an option has another value than its neutral ones.
    """
    for name in neutral:
        value = call.options.pop(name, None)
        if value is not None and not _is_one_of(value, neutral[name]):
            raise RequestError(f"{name} {value!r:.80} is not supported by this API; {remedy}")


def _is_one_of(value: Any, values: tuple[Any, ...]) -> bool:
    return any(
        value == each and isinstance(value, bool) == isinstance(each, bool) for each in values
    )
