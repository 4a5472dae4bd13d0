"""The body of a request: read before the host does, and handed on with what the host drops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from ..errors import RequestError
from .api_call import ApiCall, current_call

MAX_DEPTH = 100


async def read_body(request: Any) -> dict[str, Any]:
    """Return the body of a request, which for all of the host's APIs is a JSON object.

    The request keeps the object, so the host gets the same one. Nothing else is checked before it
    is known whether the model is one of ours. What names no model has none that could answer: it is
    refused whoever it is for, as some of the host's APIs fail with a 500 there.

    Raises:
        RequestError: the body is no JSON object that can be read, or names no model.
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
    if not isinstance(model := body.get("model"), str):
        raise RequestError(f"model has to be the UID of a launched model, not {model!r:.80}")
    return body


def normalize(body: dict[str, Any]) -> None:
    """Merge `extra_body` into the body, as clients do, and remove fields that are null.

    Raises:
        RequestError: the body is nested too deep, `extra_body` is no object or contradicts a field,
            or `stream` is no flag.
    """
    _check_depth(body)
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


def keep_cache_salt(host: ModuleType, call: ApiCall) -> None:
    """Hand `cache_salt` to the model as an option where the host drops it, which is before 4.1."""
    if "cache_salt" in call.body and not hasattr(host.RESTfulAPI, "_apply_cache_salt"):
        call.options["cache_salt"] = call.body.pop("cache_salt")


def add_options(translated: Mapping[str, Any]) -> dict[str, Any]:
    """Return the host's translation of the current request, with the options that it does not read.

    Raises:
        RequestError: the translation has one of them already, from a field of the API.
    """
    call = current_call()
    if call is None:
        return dict(translated)
    for name in call.options:
        if name in translated:
            raise RequestError(
                f"{name} stands beside a field that means the same in this API; leave it out"
            )
    return {**translated, "extra_body": call.options}


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
