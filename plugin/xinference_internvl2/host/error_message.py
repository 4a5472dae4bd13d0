"""Makes one clean sentence of the text of an error, whoever raised it."""

from __future__ import annotations

import re
from typing import Any

from ..errors import one_sentence

# The actor system puts an address before the message of an error. As a client may have written it,
# bounds keep the search short.
_ADDRESS = re.compile(r"\[address=[^\n]{0,128}?, pid=\d{1,10}\] ")
_MAX_LENGTH = 1 << 16


def clean_message(error: object) -> str:
    """Return the message of an error as one sentence, without what the actor system adds."""
    text = str(getattr(error, "__wrapped__", error))[:_MAX_LENGTH]
    return one_sentence(_ADDRESS.sub("", text))


def describe_invalid(error: Any) -> str:
    """Return a sentence on a validation error of the host: its first field, and what is wrong."""
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
