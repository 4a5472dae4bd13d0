"""JSON files of a checkpoint, whose every missing or odd value is named in one sentence."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from ..errors import CheckpointError

T = TypeVar("T")

MAX_JSON_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
"""Levels of nesting; the deepest published file, a `tokenizer.json`, has eight."""


def require_folder(path: Path, of: str) -> None:
    """Refuse a path that is no folder, or that no folder can have."""
    if not os.path.isdir(path):
        raise CheckpointError(f"{path} is not a directory; give the folder of {of}")


def read_bytes(path: Path, most: int) -> bytes:
    """All of the regular file at `path`.

    Raises:
        CheckpointError: it is missing, no regular file, or larger than `most` bytes.
    """
    try:
        # A pipe would be waited for; opened this way, it is not.
        with open(path, "rb", opener=_open_at_once) as file:
            return _read_regular(path, file, most)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing; download the whole model repository again"
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions"
        ) from None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read_regular(path: Path, file: BinaryIO, most: int) -> bytes:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{path} is not a regular file; download it again")
    if status.st_size > most:
        raise CheckpointError(
            f"{path} is larger than {most >> 20} MiB; it is not a file of a checkpoint"
        )
    return file.read(most)


def read_json(path: Path, most: int = MAX_JSON_BYTES) -> Any:
    """The parsed file at `path`.

    Raises:
        CheckpointError: it cannot be read, is larger than `most` bytes, nested more than
            `MAX_DEPTH` levels deep, or not JSON in UTF-8.
    """
    data = read_bytes(path, most)
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path} is not valid JSON; download it again") from None
    if _is_deeper(values, MAX_DEPTH):
        raise CheckpointError(
            f"{path} is nested more than {MAX_DEPTH} levels deep; download it again"
        )
    return values


def _is_deeper(values: Any, levels: int) -> bool:
    """Whether an object or a list lies inside more than `levels` others, itself counted."""
    level = [values]
    for _ in range(levels):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def read_object(path: Path, most: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """The JSON object in the file at `path`; errors as for `read_json`, or it is no object."""
    values = read_json(path, most)
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is not a JSON object; download it again")
    return values


class Section:
    """One JSON object of the configuration; every access names the field when it fails.

    With a list of `problems`, a value of the wrong kind is noted there, and another is read in its
    place.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        values: Any,
        problems: list[CheckpointError] | None = None,
    ) -> None:
        if not isinstance(values, dict):
            raise CheckpointError(f"{path}: {name or 'the file'} is not a JSON object")
        self._path, self._name, self._values = path, name, values
        self._problems = problems

    @property
    def name(self) -> str:
        """Its key in the file, or nothing for all of the file."""
        return self._name

    @property
    def values(self) -> Mapping[str, Any]:
        return self._values

    def refuse(self, key: str, wanted: str) -> CheckpointError:
        name = f"{self._name}.{key}" if self._name else key
        found = json.dumps(self._values[key])[:80] if key in self._values else "missing"
        return CheckpointError(f"{self._path}: {name} is {found}, but must be {wanted}")

    def replace(self, key: str, wanted: str, value: T) -> T:
        """Note a wrong field, and return the value that is read in its place."""
        problem = self.refuse(key, wanted)
        if self._problems is None:
            raise problem
        self._problems.append(problem)
        return value

    def section(self, key: str) -> Section:
        if not isinstance(self._values.get(key), dict):
            raise self.refuse(key, "an object")
        name = f"{self._name}.{key}".lstrip(".")
        return Section(self._path, name, self._values[key], self._problems)

    def with_defaults(self, defaults: Mapping[str, Any]) -> Section:
        """The same section, with the values of fields that are absent."""
        return Section(self._path, self._name, {**defaults, **self._values}, self._problems)

    def get(self, key: str, default: Any = None) -> Any:
        value = self._values.get(key)
        return default if value is None else value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            return self.replace(key, f"a whole number from {low} to {high}", default or low)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
            return self.replace(key, "a positive number", default or 1.0)
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.get(key, default)
        if not isinstance(value, bool):
            return self.replace(key, "true or false", default)
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.get(key, default)
        if not isinstance(value, str) or value not in allowed:
            return self.replace(key, " or ".join(allowed), default or allowed[0])
        return str(value)
