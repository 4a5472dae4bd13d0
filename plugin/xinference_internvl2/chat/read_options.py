"""Reads the options of a chat request by their table: honoured, neutral, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RequestError
from ..neutral_values import is_neutral
from .max_tokens import rename_max_completion_tokens
from .option_conflicts import check_render, set_once
from .option_table import OPTIONS, STREAM_OPTIONS, TEMPLATE_OPTIONS, WITHOUT_EFFECT, Option


def read_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a request that are neither null nor neutral, checked and converted.

    Options in `extra_body`, `stream_options` and `chat_template_kwargs` are merged with the others.

    Raises:
        RequestError: an option is unknown, out of its range, or contradicts another.
    """
    options = read_fields(merge_fields(config), OPTIONS)
    rename_max_completion_tokens(options)
    stream = options.pop("stream_options", {})
    template = options.pop("chat_template_kwargs", {})
    options.update(read_fields(stream, STREAM_OPTIONS, "stream_options."))
    for name, value in read_fields(template, TEMPLATE_OPTIONS, "chat_template_kwargs.").items():
        set_once(options, name, value, f"chat_template_kwargs.{name}")
    check_render(options)
    return {name: value for name, value in options.items() if name not in WITHOUT_EFFECT}


def merge_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request, those in `extra_body` among them.

    `extra_body` wins: there the host hands over what the client sent, beside fields that it may
    have filled in or converted; contradictions of the client itself are refused before. The host's
    own fields, which begin with an underscore, are left out.

    Raises:
        RequestError: `extra_body` is no object.
    """
    extra = config.get("extra_body") or {}
    if not isinstance(extra, Mapping):
        raise RequestError("extra_body has to be an object with further options")
    fields = {name: value for name, value in config.items() if not name.startswith("_")}
    fields.pop("extra_body", None)
    return {**fields, **extra}


def read_fields(
    fields: Mapping[str, Any],
    table: Mapping[str, Option],
    prefix: str = "",
) -> dict[str, Any]:
    """Return the fields of an object that are neither null nor neutral, checked and converted.

    Args:
        table: the fields that the object may have.
        prefix: stands before a field's name in messages.

    Raises:
        RequestError: a field is unknown or out of its range.
    """
    found = {}
    for name, value in fields.items():
        if value is None:
            continue
        option = table.get(name)
        if option is None:
            raise RequestError(f"{prefix}{name} is not supported for this model; leave it out")
        if not is_neutral(value, option.neutral):
            found[name] = _read_option(option, prefix + name, value)
    return found


def _read_option(option: Option, name: str, value: Any) -> Any:
    if option.values is None:
        raise RequestError(f"{name} is not supported: {option.effect}; leave it out")
    return option.values.read(name, value)
