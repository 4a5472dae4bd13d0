"""The model: transformers' InternVL, which loads checkpoints of the original format."""

from __future__ import annotations

from transformers import InternVLConfig, InternVLForConditionalGeneration
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import Chunk, WeightConverter, WeightRenaming

from .internlm2_wqkv import SplitGroupedQKV
from .weight_names import RENAMES, SPLITS


class InternVL2ForConditionalGeneration(InternVLForConditionalGeneration):
    """transformers' InternVL with the epsilon of the checkpoint in every norm.

    Its name is the key under which transformers looks up the weight mapping.
    """

    def __init__(self, config: InternVLConfig) -> None:
        super().__init__(config)
        if config.vision_config.use_qk_norm:
            # transformers leaves them at its default, whatever the configuration says.
            for layer in self.model.vision_tower.encoder.layer:
                for norm in (layer.attention.q_norm, layer.attention.k_norm):
                    norm.variance_epsilon = config.vision_config.layer_norm_eps


register_checkpoint_conversion_mapping(
    InternVL2ForConditionalGeneration.__name__,
    [
        *(WeightRenaming(source, target) for source, target in RENAMES.items()),
        *(
            WeightConverter(source, list(parts), [operation])
            for (source, parts), operation in zip(
                SPLITS.items(), (Chunk(dim=0), SplitGroupedQKV()), strict=True
            )
        ),
    ],
    overwrite=True,
)
