"""The request to one of our models that the host's API is answering."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any


@dataclass
class ApiCall:
    """A request while it is answered.

    Attributes:
        headers: of the request, as pairs of bytes, which the host reads later.
        body: the fields that the client sent.
        options: fields that are handed to the model unchanged, past the host.
        messages: of a chat, for APIs whose translation by the host would lose parts.
        places: where each of `messages` stands in the body.
        names: option of a chat → the field of this API that means the same.
        status: of the last error that the host has handled.
    """

    headers: list[tuple[bytes, bytes]]
    body: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    names: Mapping[str, str] = field(default_factory=dict)
    status: int = 500

    def add_message(self, place: str, role: Any, content: Any, **further: Any) -> None:
        """Append to `messages` one that stands at `place` in the body."""
        self.messages.append({"role": role, "content": content, **further})
        self.places.append(place)


Refuse = Callable[[ModuleType, Any, ApiCall, int, str, Mapping[str, str] | None], Any]
"""Builds the response to a refused request from host, request, call, status, message, headers."""


_current: ContextVar[ApiCall | None] = ContextVar("call", default=None)


def current_call() -> ApiCall | None:
    """Return the request to one of our models that this task answers, or None."""
    return _current.get()


@contextmanager
def set_current(call: ApiCall) -> Iterator[ApiCall]:
    """Make `call` the current one in the body."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)
