"""The layout in which AWQ packs a linear layer: its tensors, their shapes and types.

Shapes use: O output features, I input features, G groups of input features that share a scale.
The output features are on the last dimension, eight of them an element of `qweight` and `qzeros`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...checkpoint.linear_layers import is_quantized_parameter
from ...errors import CheckpointError

_VALUES = 8
_INTEGERS = ("qweight", "qzeros")


def is_integer(name: str) -> bool:
    """Whether the tensor `name` of a packed layer is of type int32."""
    return name.endswith(_INTEGERS)


def is_packed(name: str) -> bool:
    """Whether the tensor `name` is of a packed layer."""
    return name.endswith((*_INTEGERS, "scales"))


def output_axis(name: str) -> int:
    """The dimension of the tensor `name`, packed or not, that has the output features."""
    return -1 if is_packed(name) else 0


def pack_shapes(
    wanted: Mapping[str, tuple[int, ...]], group: int, head_size: int
) -> dict[str, tuple[int, ...]]:
    """The parameters `wanted` (name → shape) as an AWQ checkpoint has them: in place of a linear
    layer's weight (O, I) `qweight` (I, O/8), `qzeros` (G, O/8) and `scales` (G, O).

    Raises:
        CheckpointError: a layer, or an attention head, does not fit the layout.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in wanted.items():
        if not is_quantized_parameter(name, shape):
            shapes[name] = shape
            continue
        outputs, inputs = shape
        if outputs % _VALUES or head_size % _VALUES or inputs % group:
            raise CheckpointError(
                f"config.json asks for {name} {list(shape)} with heads of {head_size}, which AWQ "
                f"in groups of {group} does not fit; check that config.json is the checkpoint's own"
            )
        owner, groups = name.removesuffix("weight"), inputs // group
        shapes[f"{owner}qweight"] = (inputs, outputs // _VALUES)
        shapes[f"{owner}qzeros"] = (groups, outputs // _VALUES)
        shapes[f"{owner}scales"] = (groups, outputs)
    return shapes
