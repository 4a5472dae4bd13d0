"""Where a model is put: on one device, or spread over several cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DeviceMap = str | Mapping[str, Any] | None
"""As transformers takes it; without one all is on the CPU."""


def choose_device_map(device: str, cards: int, *, can_spread: bool) -> DeviceMap:
    """Spread a model over the `cards` that the launch was given, or put it on `device`.

    Args:
        can_spread: whether accelerate, which spreads it, knows such a device.
    """
    return "auto" if cards > 0 and can_spread else {"": device}


def is_cpu(device_map: DeviceMap) -> bool:
    """Whether the whole model is on the CPU."""
    devices = {"": device_map} if isinstance(device_map, str) else device_map or {"": "cpu"}
    return {str(device) for device in devices.values()} == {"cpu"}
