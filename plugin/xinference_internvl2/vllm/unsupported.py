"""What checkpoints of the family can have and vLLM's model of InternVL computes in another way."""

from __future__ import annotations

from ..checkpoint.config import CheckpointConfig
from ..errors import CheckpointError


def check_computable(checkpoint: CheckpointConfig) -> None:
    """Refuse a checkpoint to which vLLM would give other answers, or at which it would end.

    Raises:
        CheckpointError: names the field of `config.json`, its value, and what vLLM takes.
    """
    vision, llm = checkpoint.vision, checkpoint.llm
    positions, window = llm["max_position_embeddings"], llm.get("sliding_window")
    narrow = window is not None and window < positions
    biased = checkpoint.backbone.bias_field == "bias" and llm["attention_bias"]
    for field, found, wrong, taken in (
        # It uses all vision layers for a positive number, and fails on the weights of others.
        ("select_layer", checkpoint.select_layer, checkpoint.select_layer != -1, "-1"),
        # It cuts tiles of the latter.
        (
            "force_image_size",
            checkpoint.tile_size,
            checkpoint.tile_size != vision["image_size"],
            f"vision_config.image_size, {vision['image_size']}",
        ),
        # It has one for every picture, the frames of a video included.
        ("min_dynamic_patch", checkpoint.min_tiles, checkpoint.min_tiles > 1, "1"),
        # It cannot attend within one on every device.
        ("llm_config.sliding_window", window, narrow, f"{positions} or more"),
        # Its InternLM2 has none.
        ("llm_config.bias", "true", biased, "false"),
    ):
        if wrong:
            raise CheckpointError(
                f"{checkpoint.path}: {field} is {found}, but vLLM's model of InternVL takes "
                f"{taken} alone; launch it with the Transformers engine"
            )
