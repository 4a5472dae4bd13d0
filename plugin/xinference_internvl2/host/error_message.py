"""Makes one clean sentence of the text of an error, whoever raised it."""

from __future__ import annotations

import re
from typing import Any

from ..errors import one_sentence

# The actor system puts an address before the message of an error.
_ADDRESS = re.compile(r"\[address=.*?, pid=\d+\] ")


def clean_message(error: object) -> str:
    """Return the message of an error as one sentence, without what the actor system adds."""
    return one_sentence(_ADDRESS.sub("", str(getattr(error, "__wrapped__", error))))


def describe_invalid(error: Any) -> str:
    """Return a sentence on a validation error of the host: its first field, and what is wrong."""
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
