"""Names the field at fault in an error as the API of the request does: `input[0]`, say.

A model reads every request as a chat, and so its errors have the fields and messages of a chat.
"""

from __future__ import annotations

import re

from .api_call import ApiCall

_MESSAGE = re.compile(r"\bmessages\[(\d+)\](\.content)?")
_FIELD = re.compile(r"([A-Za-z_]+)(?:[.\[][\w.\[\]]*)?")


def translate_fields(call: ApiCall, message: str) -> str:
    """Return an error message about a chat with the fields and places of the API of `call`."""

    def translate_place(found: re.Match[str]) -> str:
        index = int(found[1])
        if index >= len(call.places):
            return found[0]
        place, content = call.places[index], found[2] or ""
        return place + content if place.endswith("]") else place

    return _MESSAGE.sub(translate_place, _translate_name(call, message))


def _translate_name(call: ApiCall, message: str) -> str:
    for name, own in call.names.items():
        given = name.partition(".")[0] in call.body  # the client used the chat's own name
        if not given and re.match(rf"{re.escape(name)}(?!\w)", message):
            return own + message[len(name) :]
    return message


def find_field(call: ApiCall, message: str) -> str | None:
    """Return the field of the request with which an error begins: the `param` of OpenAI's APIs."""
    found = _FIELD.match(message)
    if found is None or not (found[1] in call.body or found[1] in call.options):
        return None
    return found[0].rstrip(".")
