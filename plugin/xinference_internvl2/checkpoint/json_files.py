"""JSON files of a checkpoint, whose every missing or odd value is named in one sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError

MAX_JSON_BYTES = 64 * 1024 * 1024


def read_json(path: Path) -> Any:
    """The parsed file at `path`.

    Raises:
        CheckpointError: it is missing, larger than 64 MiB, or not JSON in UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
    except FileNotFoundError:
        raise CheckpointError(
            f"{path} is missing; download the whole model repository again"
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}); check the path and its permissions"
        ) from None
    if len(data) > MAX_JSON_BYTES:
        raise CheckpointError(f"{path} is larger than 64 MiB; it is not a file of a checkpoint")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path} is not valid JSON; download it again") from None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`; errors as for `read_json`, or it is no object."""
    values = read_json(path)
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is not a JSON object; download it again")
    return values


class Section:
    """One JSON object of the configuration; every access names the field when it fails."""

    def __init__(self, path: Path, name: str, values: Any) -> None:
        if not isinstance(values, dict):
            raise CheckpointError(f"{path}: {name or 'the file'} is not a JSON object")
        self._path, self._name, self._values = path, name, values

    @property
    def values(self) -> Mapping[str, Any]:
        return self._values

    def refuse(self, key: str, wanted: str) -> CheckpointError:
        name = f"{self._name}.{key}" if self._name else key
        found = json.dumps(self._values[key])[:80] if key in self._values else "missing"
        return CheckpointError(f"{self._path}: {name} is {found}, but must be {wanted}")

    def section(self, key: str) -> Section:
        if not isinstance(self._values.get(key), dict):
            raise self.refuse(key, "an object")
        return Section(self._path, f"{self._name}.{key}".lstrip("."), self._values[key])

    def get(self, key: str, default: Any = None) -> Any:
        value = self._values.get(key)
        return default if value is None else value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.refuse(key, f"a whole number from {low} to {high}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
            raise self.refuse(key, "a positive number")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self.refuse(key, "true or false")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.get(key, default)
        if value not in allowed:
            raise self.refuse(key, " or ".join(allowed))
        return str(value)
