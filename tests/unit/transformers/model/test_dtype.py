"""The floating-point type of a launch on Transformers: the one it names, or one that suits."""

from __future__ import annotations

import pytest
import torch

from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.transformers.model.dtype import choose_dtype, read_dtype


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float32"])
def test_a_type_that_is_named(name: str) -> None:
    assert read_dtype(name) is read_dtype(getattr(torch, name)) is getattr(torch, name)


def test_a_launch_may_leave_it_open() -> None:
    assert read_dtype(None) is read_dtype("auto") is None


@pytest.mark.parametrize("name", ["float64", "int8", "save", torch.float64, 16])
def test_another_type_is_refused(name: object) -> None:
    with pytest.raises(CheckpointError, match=f"torch_dtype {name} is not supported; use bfloat16"):
        read_dtype(name)


@pytest.mark.parametrize(
    ("own", "device", "has_bfloat16", "chosen"),
    [
        (torch.bfloat16, "cpu", True, torch.bfloat16),
        (torch.float16, "cpu", True, torch.bfloat16),
        (torch.float32, "cpu", True, torch.float32),
        (torch.bfloat16, "cpu", False, torch.float32),
        (torch.float32, "cuda", True, torch.float16),
    ],
)
def test_the_type_that_suits_a_device(
    own: torch.dtype,
    device: str,
    has_bfloat16: bool,
    chosen: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mkldnn = torch.ops.mkldnn
    monkeypatch.setattr(mkldnn, "_is_mkldnn_bf16_supported", lambda: has_bfloat16)
    preferred = torch.float32 if device == "cpu" else torch.float16
    assert choose_dtype(own, device, preferred) == chosen


def test_a_device_of_which_nothing_is_known_takes_the_checkpoints_own() -> None:
    assert choose_dtype(torch.bfloat16, "other", None) == torch.bfloat16
