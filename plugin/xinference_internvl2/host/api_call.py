"""A request to one of our models on its way through the host's API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ..errors import RequestError

_MESSAGE = re.compile(r"\bmessages\[(\d+)\](\.content)?")


@dataclass
class ApiCall:
    """A request while it is answered.

    Attributes:
        headers: its own, as pairs of bytes, which the host reads after us.
        body: its fields, as the client sent them.
        options: those of them that go to the model as they were sent, past the host.
        messages: of a chat, where the host's own translation would lose something.
        places: where each of `messages` is in the body.
        names: option of a chat → the field of this API that means the same.
        status: the status of the error that the host met last.
    """

    headers: list[tuple[bytes, bytes]]
    body: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    names: Mapping[str, str] = field(default_factory=dict)
    status: int = 500

    def add_message(self, place: str, role: Any, content: Any, **further: Any) -> None:
        """Have one more of the `messages`."""
        self.messages.append({"role": role, "content": content, **further})
        self.places.append(place)

    def name_places(self, message: str) -> str:
        """`message` with the places of the request in place of those of a chat."""
        return _MESSAGE.sub(self._name_place, self._name_field(message))

    def _name_field(self, message: str) -> str:
        for name, own in self.names.items():
            given = name.partition(".")[0] in self.body  # by the chat's own name
            if not given and re.match(rf"{re.escape(name)}(?!\w)", message):
                return own + message[len(name) :]
        return message

    def _name_place(self, found: re.Match[str]) -> str:
        index = int(found[1])
        if index >= len(self.places):
            return found[0]
        place, content = self.places[index], found[2] or ""
        return place + content if place.endswith("]") else place


Refuse = Callable[[ModuleType, Any, ApiCall, int, str, Mapping[str, str] | None], Any]
"""Makes the response of an error: host, request, call, status, message, headers."""


_current: ContextVar[ApiCall | None] = ContextVar("call", default=None)


def current_call() -> ApiCall | None:
    """The request to one of our models that this task answers."""
    return _current.get()


@contextmanager
def as_current(call: ApiCall) -> Iterator[ApiCall]:
    """Make `call` the current one."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def add_options(translated: Mapping[str, Any]) -> dict[str, Any]:
    """What the host makes of the current request, with the options that it does not read.

    Raises:
        RequestError: one of them is there already, by the name that the API has for it.
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
