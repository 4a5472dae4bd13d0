"""A form of an answer that random weights can be held to."""

from __future__ import annotations

from typing import Any

SHAPES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "shape": {"enum": ["circle", "star"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "seen": {"type": "boolean"},
    },
    "required": ["shape", "count", "seen"],
    "additionalProperties": False,
}
