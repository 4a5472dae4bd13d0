"""Refuses checkpoints that vLLM's model of InternVL would compute differently."""

from __future__ import annotations

from ..checkpoint.config import CheckpointConfig
from ..errors import CheckpointError


def check_computable(checkpoint: CheckpointConfig) -> None:
    """Check that vLLM's model of InternVL computes a checkpoint as it was trained.

    Raises:
        CheckpointError: it does not; the message names the field, its value, and what vLLM takes.
    """
    vision, llm = checkpoint.vision, checkpoint.llm
    positions, window = llm["max_position_embeddings"], llm.get("sliding_window")
    narrow = window is not None and window < positions
    biased = checkpoint.backbone.bias_field == "bias" and llm["attention_bias"]
    for field, found, wrong, taken in (
        # For a positive one vLLM builds a layer too many; for others it fails on unused weights.
        ("select_layer", checkpoint.select_layer, checkpoint.select_layer != -1, "-1"),
        # vLLM cuts tiles of vision_config.image_size.
        (
            "force_image_size",
            checkpoint.tile_size,
            checkpoint.tile_size != vision["image_size"],
            f"vision_config.image_size, {vision['image_size']}",
        ),
        # vLLM has one value for all pictures, the frames of a video included.
        ("min_dynamic_patch", checkpoint.min_tiles, checkpoint.min_tiles > 1, "1"),
        # Not every device of vLLM has attention with a window.
        ("llm_config.sliding_window", window, narrow, f"{positions} or more"),
        # vLLM's InternLM2 has no biases.
        ("llm_config.bias", "true", biased, "false"),
    ):
        if wrong:
            raise CheckpointError(
                f"{checkpoint.path}: {field} is {found}, but vLLM's model of InternVL takes "
                f"{taken} alone; launch it with the Transformers engine"
            )
