"""The kinds of value that an option of a request may have; each says in words what it accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RequestError


class Values:
    """A set of values. `str()` of it completes "NAME VALUE is not …"."""

    def read(self, name: str, value: Any) -> Any:
        """Return `value` as the code uses it.

        Raises:
            RequestError: it is not one of these values; the message has `name`.
        """
        if not self.accepts(value):
            raise RequestError(f"{name} {value!r:.80} is not {self}")
        return self.convert(value)

    def accepts(self, value: Any) -> bool:
        """Whether `value` is one of them."""
        raise NotImplementedError

    def convert(self, value: Any) -> Any:
        """Return an accepted value in the type that the code uses."""
        return value


@dataclass(frozen=True)
class Number(Values):
    """Numbers from `low` to `high`."""

    low: float
    high: float

    def accepts(self, value: Any) -> bool:
        """Of Python's numbers, NaN is out of every range, and True is none."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def convert(self, value: Any) -> Any:
        return float(value)

    def __str__(self) -> str:
        return f"a number from {self.low} to {self.high}"


class Whole(Number):
    """Whole numbers from `low` to `high`; `50.0` is one, since some clients write all so."""

    def accepts(self, value: Any) -> bool:
        return super().accepts(value) and int(value) == value

    def convert(self, value: Any) -> Any:
        return int(value)

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


class Flag(Values):
    """True or false, and no other value that Python takes for one of them."""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Text(Values):
    """Strings of a length."""

    shortest: int
    longest: int

    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and self.shortest <= len(value) <= self.longest

    def __str__(self) -> str:
        return f"a string of {self.shortest} to {self.longest} characters"


@dataclass(frozen=True)
class Texts(Values):
    """A string, or a list of at most `most` strings."""

    most: int
    each: Text

    def read(self, name: str, value: Any) -> tuple[str, ...]:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or len(texts) > self.most:
            raise RequestError(
                f"{name} has to be a string or a list of at most {self.most} strings"
            )
        return tuple(self.each.read(name, text) for text in texts)

    def __str__(self) -> str:
        return f"{self.each}, or a list of at most {self.most}"


class Object(Values):
    """JSON objects; who uses one says what may be in it."""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    def __str__(self) -> str:
        return "an object"


@dataclass(frozen=True)
class Described(Values):
    """Values that who uses them checks, described here."""

    words: str

    def accepts(self, value: Any) -> bool:
        return True

    def __str__(self) -> str:
        return self.words
