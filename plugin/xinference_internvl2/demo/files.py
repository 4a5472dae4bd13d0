"""Where the tiny checkpoint of the demo lies, and its pictures."""

from __future__ import annotations

from pathlib import Path

CHECKPOINT = Path(__file__).resolve().parent / "checkpoint"
PICTURES = Path(__file__).resolve().parent / "pictures"
