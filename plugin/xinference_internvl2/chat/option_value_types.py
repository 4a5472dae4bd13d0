"""The types of values that an option of a request may have: each checks, converts, describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import RequestError


class Values:
    """A set of values; its `str()` completes the sentence "NAME VALUE is not …"."""

    def read(self, name: str, value: Any) -> Any:
        """Check `value`, and return it in the type that the code uses.

        Raises:
            RequestError: it is not in the set; the message has the `name` of the option.
        """
        if not self.accepts(value):
            raise RequestError(f"{name} {value!r:.80} is not {self}")
        return self.convert(value)

    def accepts(self, value: Any) -> bool:
        """Whether `value` is in the set."""
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
        """Whether `value` is a number in the range; NaN is in none, and True is no number."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def convert(self, value: Any) -> Any:
        return float(value)

    def __str__(self) -> str:
        return f"a number from {self.low} to {self.high}"


class Whole(Number):
    """Whole numbers from `low` to `high`; `50.0` is one, since some clients write it so."""

    def accepts(self, value: Any) -> bool:
        return super().accepts(value) and int(value) == value

    def convert(self, value: Any) -> Any:
        return int(value)

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


class Flag(Values):
    """True or false, but not 1 or 0."""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Text(Values):
    """Strings of `shortest` to `longest` characters, which are valid Unicode."""

    shortest: int
    longest: int

    def read(self, name: str, value: Any) -> str:
        text: str = super().read(name, value)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise RequestError(f"{name} {text!r:.80} has half a surrogate pair; send valid Unicode")
        return text

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


@dataclass(frozen=True)
class TokenIds(Values):
    """Lists of at most `most` token ids."""

    most: int

    def accepts(self, value: Any) -> bool:
        return isinstance(value, list) and len(value) <= self.most and all(map(_is_token, value))

    def convert(self, value: Any) -> Any:
        return tuple(dict.fromkeys(value))

    def __str__(self) -> str:
        return f"a list of at most {self.most} token ids"


@dataclass(frozen=True)
class Biases(Values):
    """Objects from at most `most` token ids, which are strings in JSON, to numbers."""

    most: int
    each: Number

    def accepts(self, value: Any) -> bool:
        if not isinstance(value, Mapping) or len(value) > self.most:
            return False
        tokens = [_to_token(name) for name in value]
        return all(map(_is_token, tokens)) and all(map(self.each.accepts, value.values()))

    def convert(self, value: Any) -> Any:
        return {_to_token(name): float(bias) for name, bias in value.items()}

    def __str__(self) -> str:
        return f"an object of at most {self.most} token ids, each with {self.each}"


def _to_token(name: Any) -> Any:
    return int(name) if isinstance(name, str) and name.isascii() and name.isdigit() else name


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


class Object(Values):
    """JSON objects, whose fields the caller checks."""

    def accepts(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    def __str__(self) -> str:
        return "an object"


@dataclass(frozen=True)
class Described(Values):
    """Values that the caller checks; `words` describes them."""

    words: str

    def accepts(self, value: Any) -> bool:
        return True

    def __str__(self) -> str:
        return self.words
