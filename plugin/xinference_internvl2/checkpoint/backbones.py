"""The language models of the family's checkpoints: one record each.

A fifth one is a record here, its defaults in `config_defaults.py`, its layers in
`linear_layers.py`, its control tokens in `tokenizer/control_token_table.py`, its names in
`transformers/model/weight_names.py` where they differ from transformers' own, and its memory in the
generator's `family/memory_from_dimensions.py`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backbone:
    """A language model that checkpoints of the family have.

    Attributes:
        architecture: the class that `llm_config.architectures` names.
        model_type: transformers' name for it.
        rope_kinds: the kinds of `rope_type` that it knows.
        bias_field: the field that switches its attention biases, if it has one.
        has_sliding_window: whether its attention can be limited to the latest tokens.
        window_by_default: whether it then is, where `use_sliding_window` is absent.
    """

    architecture: str
    model_type: str
    rope_kinds: tuple[str, ...] = ("dynamic", "linear", "default")
    bias_field: str | None = None
    has_sliding_window: bool = False
    window_by_default: bool = False


BACKBONES = {
    record.architecture: record
    for record in (
        Backbone("Qwen2ForCausalLM", "qwen2", has_sliding_window=True),
        # Llama with other names of fields and weights.
        Backbone("InternLM2ForCausalLM", "llama", bias_field="bias"),
        Backbone(
            "Phi3ForCausalLM",
            "phi3",
            rope_kinds=("longrope", "default"),
            has_sliding_window=True,
            window_by_default=True,
        ),
        # Yi and Llama 3.
        Backbone("LlamaForCausalLM", "llama", bias_field="attention_bias"),
    )
}
"""`llm_config.architectures[0]` → its record."""
