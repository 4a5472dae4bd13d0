"""A loaded model as it is computed fastest."""

from __future__ import annotations

from transformers import PreTrainedModel

from .decoder_layer import replace_layers
from .packed_linear import pack_layers
from .vision_attention import use_vision_attention


def speed_up(model: PreTrainedModel) -> None:
    """Change how a loaded model computes; the result is the same but for the last bits.

    After `load_adapters`, which looks for the layers that are replaced here.
    """
    replace_layers(model)
    use_vision_attention(model)
    pack_layers(model)
