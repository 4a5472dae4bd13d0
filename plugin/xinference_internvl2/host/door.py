"""A request to one of our models on its way through the host's API, and how it is refused."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ..errors import NO_TOOL_RESULT, NO_TOOLS, OverloadedError, RequestError, one_sentence
from .model_process import UnavailableError

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
logger = logging.getLogger(__name__)

# The actor system puts its address before the message of an error that it hands on.
_ADDRESS = re.compile(r"\[address=[^\]]*\] ")
_MESSAGE = re.compile(r"\bmessages\[(\d+)\](\.content)?")
_FIELD = re.compile(r"([A-Za-z_]+)(?:[.\[][\w.\[\]]*)?")


@dataclass
class Door:
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


Refuse = Callable[[ModuleType, Any, Door, int, str, Mapping[str, str] | None], Any]
"""Makes the response of an error: host, request, door, status, message, headers."""


_current: ContextVar[Door | None] = ContextVar("door", default=None)


def current_door() -> Door | None:
    """The request to one of our models that this task answers."""
    return _current.get()


@contextmanager
def pass_through(door: Door) -> Iterator[Door]:
    """Make `door` the current one."""
    token = _current.set(door)
    try:
        yield door
    finally:
        _current.reset(token)


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


def refuse_unless_neutral(door: Door, neutral: Mapping[str, tuple[Any, ...]], remedy: str) -> None:
    """Take out of a request's options what its API has no place for.

    Raises:
        RequestError: such an option has another value than its neutral ones.
    """
    for name in neutral:
        value = door.options.pop(name, None)
        if value is not None and not _is_one_of(value, neutral[name]):
            raise RequestError(f"{name} {value!r:.80} is not supported by this API; {remedy}")


def _is_one_of(value: Any, values: tuple[Any, ...]) -> bool:
    return any(
        value == each and isinstance(value, bool) == isinstance(each, bool) for each in values
    )


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


def add_options(translated: Mapping[str, Any]) -> dict[str, Any]:
    """What the host makes of the current request, with the options that it does not read.

    Raises:
        RequestError: one of them is there already, by the name that the API has for it.
    """
    door = current_door()
    if door is None:
        return dict(translated)
    for name in door.options:
        if name in translated:
            raise RequestError(
                f"{name} stands beside a field that means the same in this API; leave it out"
            )
    return {**translated, "extra_body": door.options}


def log_refusal(where: str, model: object, message: str) -> None:
    """Say in one line of the log what is not answered, and why."""
    logger.warning("%s of model %s is refused: %s", where, model, message)


def http_status(error: RequestError) -> int:
    """The status that tells a client whether to come again with the same request."""
    if isinstance(error, UnavailableError):
        return 503
    return 429 if isinstance(error, OverloadedError) else 400


def read_sentence(error: object) -> str:
    """The message of an error without what the actor system adds to it, as one sentence."""
    return one_sentence(_ADDRESS.sub("", str(getattr(error, "__wrapped__", error))))


def error_object(status: int, message: str, door: Door) -> dict[str, Any]:
    """An error as OpenAI's clients read it; `param` is the field at fault where it is named."""
    found = _FIELD.match(message)
    named = found is not None and (found[1] in door.body or found[1] in door.options)
    return {
        "message": message,
        "type": ERROR_TYPES.get(status, "server_error"),
        "param": found[0].rstrip(".") if found and named else None,
        "code": None,
    }
