"""Checks the fields of `config.json`: each is honoured, neutral, irrelevant, or refused by name.

A field is honoured by the readers beside this module; or only its neutral value is accepted; or no
answer depends on it. Every other field is refused unless it is empty: the model may depend on it.

The keys are those that transformers 4.37 to 5.17, ms-swift, LLaMA-Factory, xtuner, Unsloth,
transformers.js and the published scripts of InternVL2 to InternVL3 write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .dtype import DTYPE_FIELDS
from .typed_fields import Section

_NOTHING: tuple[Any, ...] = (None, False, [], {}, "")

# Written by transformers into every configuration; they concern saving, training, or the generation
# and the classifiers of other models.
_EVERYWHERE = frozenset(
    [
        "_flash_attn_2_enabled",
        "_attn_implementation",
        "_attn_implementation_autoset",
        "_attn_implementation_internal",
        "_commit_hash",
        "_experts_implementation",
        "_experts_implementation_internal",
        "_name_or_path",
        "_output_attentions",
        "add_cross_attention",
        "architectures",
        "attn_implementation",
        "attn_implementation_autoset",
        "auto_map",
        "bad_words_ids",
        "begin_suppress_tokens",
        "bos_token_id",
        "chunk_size_feed_forward",
        "cross_attention_hidden_size",
        "decoder_start_token_id",
        "diversity_penalty",
        "do_sample",
        "early_stopping",
        "encoder_no_repeat_ngram_size",
        "eos_token_id",
        "exponential_decay_length_penalty",
        "finetuning_task",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "gradient_checkpointing",
        "id2label",
        "initializer_range",
        "initializer_factor",
        "is_composition",
        "is_decoder",
        "is_encoder_decoder",
        "keys_to_ignore_at_inference",
        "label2id",
        "length_penalty",
        "max_length",
        "min_length",
        "model_type",
        "name_or_path",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_beams",
        "num_labels",
        "num_return_sequences",
        "output_attentions",
        "output_hidden_states",
        "output_scores",
        "pad_token_id",
        "prefix",
        "problem_type",
        "remove_invalid_values",
        "repetition_penalty",
        "return_dict",
        "return_dict_in_generate",
        "sep_token_id",
        "suppress_tokens",
        "task_specific_params",
        "temperature",
        "tf_legacy_loss",
        "tie_encoder_decoder",
        "tokenizer_class",
        "top_k",
        "top_p",
        "torchscript",
        "transformers.js_config",
        "transformers_version",
        "typical_p",
        "unsloth_fixed",
        "unsloth_version",
        "use_bfloat16",
        "use_cache",
        "use_flash_attn",
        "use_return_dict",
    ]
)
# Later scripts of the authors write them into every section; they say how layers of experts are
# trained, which there are none of while `use_moe` is false.
_EXPERTS = frozenset(
    [
        "capacity_factor",
        "eval_capacity_factor",
        "laux_allreduce",
        "moe_coeff_ratio",
        "moe_intermediate_size",
        "moe_output_scale",
        "noisy_gate_policy",
        "num_experts",
        "num_routed_experts",
        "num_shared_experts",
        "shared_expert_intermediate_size",
        "use_residual",
        "use_rts",
        "use_weighted_residual",
    ]
)

_HONOURED: Mapping[str, frozenset[str]] = {
    "": frozenset(
        [
            "downsample_ratio",
            "dynamic_image_size",
            "force_image_size",
            "llm_config",
            "max_dynamic_patch",
            "min_dynamic_patch",
            "model_type",
            "pad2square",
            "ps_version",
            "quantization_config",
            "select_layer",
            "template",
            "use_backbone_lora",
            "use_llm_lora",
            "use_thumbnail",
            "vision_config",
        ]
    ),
    "llm_config": frozenset(
        [
            "architectures",
            "attention_bias",
            "bias",
            "head_dim",
            "hidden_act",
            "hidden_size",
            "intermediate_size",
            "layer_types",
            "max_position_embeddings",
            "max_window_layers",
            "num_attention_heads",
            "num_hidden_layers",
            "num_key_value_heads",
            "original_max_position_embeddings",
            "quantization_config",
            "rms_norm_eps",
            "rope_parameters",
            "rope_scaling",
            "rope_theta",
            "sliding_window",
            "tie_word_embeddings",
            "use_sliding_window",
            "vocab_size",
        ]
    ),
    "vision_config": frozenset(
        [
            "hidden_act",
            "hidden_size",
            "image_size",
            "intermediate_size",
            "layer_norm_eps",
            "norm_type",
            "num_attention_heads",
            "num_channels",
            "num_hidden_layers",
            "patch_size",
            "qk_normalization",
            "qkv_bias",
        ]
    ),
}
"""Section → the fields that its reader honours."""

_IRRELEVANT: Mapping[str, frozenset[str]] = {
    # What is computed from others; the language model says itself whether its embeddings are tied.
    "": frozenset(
        ["hidden_size", "img_context_token_id", "num_image_token", "tie_word_embeddings"]
    ),
    "llm_config": frozenset(
        [
            "attention_dropout",
            "embd_pdrop",
            "embedding_dropout",
            "hidden_dropout",
            "ignore_keys_at_rope_validation",
            "pretraining_tp",
            "resid_pdrop",
        ]
    ),
    "vision_config": frozenset(
        ["attention_dropout", "drop_path_rate", "dropout", "tie_word_embeddings"]
    ),
}
_NEUTRAL: Mapping[str, Mapping[str, Any]] = {
    "llm_config": {"partial_rotary_factor": 1, "rope_pos_id_version": "default"},
}
"""Section → field → the value with which the model is the published one."""
_LEAVE_OUT = "left out, as no checkpoint of the family has it and the model may depend on it"
_REMEDIES = {"system_message": "left out; launch with that text as --system"}
"""Field → what to do in its place."""


def check_fields(section: Section) -> None:
    """Refuse unknown fields of a section of `config.json` that are not empty.

    Raises:
        CheckpointError: names the field and its value.
    """
    name = section.name
    known = _EVERYWHERE | {*DTYPE_FIELDS} | _EXPERTS | _HONOURED[name] | _IRRELEVANT[name]
    neutral = _NEUTRAL.get(name, {})
    for key, value in section.values.items():
        if key in known or any(value is x or value == x for x in _NOTHING):
            continue
        if key not in neutral or value != neutral[key]:
            section.report(key, _REMEDIES.get(key, _LEAVE_OUT), None)
