"""Bytes become the numbers that the vision tower was trained on."""

from __future__ import annotations

import numpy as np
import torch

from xinference_internvl2.media.pixel_values import normalize, normalize_on_device


def test_on_a_device_they_are_the_same_to_the_last_bit() -> None:
    tiles = np.arange(256, dtype=np.uint8).repeat(3).reshape(2, 3, 16, 8)
    normalized = normalize_on_device(torch.from_numpy(tiles))
    assert normalized.dtype == torch.float32
    assert torch.equal(normalized, normalize(tiles))


def test_each_channel_has_its_own_mean_and_deviation() -> None:
    tiles = torch.tensor([0, 128, 255], dtype=torch.uint8)[None, :, None, None]
    found = normalize_on_device(tiles).flatten()
    wanted = torch.tensor([(0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    assert torch.allclose(found, wanted, atol=1e-6)
