"""Names the place at fault in an error as the API of the request does: `input[0]`, say.

A model reads every request as a chat, and so its errors have the fields and messages of a chat.
"""

from __future__ import annotations

import re

from .api_call import ApiCall

_MESSAGE = re.compile(r"\bmessages\[(\d+)\](\.content)?")


def translate_places(call: ApiCall, message: str) -> str:
    """Return an error message about a chat with the fields and places of the API of `call`."""

    def translate_place(found: re.Match[str]) -> str:
        index = int(found[1])
        if index >= len(call.places):
            return found[0]
        place, content = call.places[index], found[2] or ""
        return place + content if place.endswith("]") else place

    return _MESSAGE.sub(translate_place, _translate_field(call, message))


def _translate_field(call: ApiCall, message: str) -> str:
    for name, own in call.names.items():
        given = name.partition(".")[0] in call.body  # the client used the chat's own name
        if not given and re.match(rf"{re.escape(name)}(?!\w)", message):
            return own + message[len(name) :]
    return message
