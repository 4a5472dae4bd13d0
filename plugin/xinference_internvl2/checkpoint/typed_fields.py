"""Reads the fields of a JSON object with a check of their type; an error names field and value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..errors import CheckpointError

T = TypeVar("T")


class Section:
    """A JSON object of a configuration file, whose fields are read with a check of their type.

    A field that fails its check raises a CheckpointError that names it. With a list of `problems`
    the error is appended there instead, and a valid value is returned in place of the wrong one.
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
        """The key of the object in the file; "" for the whole file."""
        return self._name

    @property
    def values(self) -> Mapping[str, Any]:
        """All fields, unchecked."""
        return self._values

    def refuse(self, key: str, wanted: str) -> CheckpointError:
        """Return the error for a field whose value is not what is `wanted`."""
        name = f"{self._name}.{key}" if self._name else key
        found = json.dumps(self._values[key])[:80] if key in self._values else "missing"
        return CheckpointError(f"{self._path}: {name} is {found}, but must be {wanted}")

    def report(self, key: str, wanted: str, value: T) -> T:
        """Raise the error for a wrong field, or note it in `problems` and return `value`."""
        problem = self.refuse(key, wanted)
        if self._problems is None:
            raise problem
        self._problems.append(problem)
        return value

    def section(self, key: str) -> Section:
        """Return the object in a field.

        Raises:
            CheckpointError: the field has none, whether there is a list of problems or not.
        """
        if not isinstance(self._values.get(key), dict):
            raise self.refuse(key, "an object")
        name = f"{self._name}.{key}".lstrip(".")
        return Section(self._path, name, self._values[key], self._problems)

    def with_defaults(self, defaults: Mapping[str, Any]) -> Section:
        """Return the same section with `defaults` for the fields that are absent."""
        return Section(self._path, self._name, {**defaults, **self._values}, self._problems)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a field unchecked; `default` where it is absent or null."""
        value = self._values.get(key)
        return default if value is None else value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """Return a field that has to be a whole number from `low` to `high`."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            return self.report(key, f"a whole number from {low} to {high}", default or low)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a field that has to be a positive number."""
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
            return self.report(key, "a positive number", default or 1.0)
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """Return a field that has to be true or false."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            return self.report(key, "true or false", default)
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Return a field that has to be one of the texts `allowed`."""
        value = self.get(key, default)
        if not isinstance(value, str) or value not in allowed:
            return self.report(key, " or ".join(allowed), default or allowed[0])
        return str(value)
