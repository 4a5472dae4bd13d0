"""``llm_config`` of the four backbones, with the keys of the published repositories."""

from __future__ import annotations

from typing import Any

from .dims import Backbone, Dims

Json = dict[str, Any]

ARCHITECTURES: dict[Backbone, str] = {
    "qwen2": "Qwen2ForCausalLM",
    "internlm2": "InternLM2ForCausalLM",
    "phi3": "Phi3ForCausalLM",
    "llama": "LlamaForCausalLM",
}

# What transformers 4.37 writes into every nested model configuration.
_LLM_DEFAULTS: Json = {
    "add_cross_attention": False,
    "bad_words_ids": None,
    "begin_suppress_tokens": None,
    "chunk_size_feed_forward": 0,
    "cross_attention_hidden_size": None,
    "decoder_start_token_id": None,
    "diversity_penalty": 0.0,
    "do_sample": False,
    "early_stopping": False,
    "encoder_no_repeat_ngram_size": 0,
    "exponential_decay_length_penalty": None,
    "finetuning_task": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "hidden_act": "silu",
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
    "initializer_range": 0.02,
    "is_decoder": False,
    "is_encoder_decoder": False,
    "label2id": {"LABEL_0": 0, "LABEL_1": 1},
    "length_penalty": 1.0,
    "max_length": 20,
    "max_position_embeddings": 32768,
    "min_length": 0,
    "no_repeat_ngram_size": 0,
    "num_beam_groups": 1,
    "num_beams": 1,
    "num_return_sequences": 1,
    "output_attentions": False,
    "output_hidden_states": False,
    "output_scores": False,
    "prefix": None,
    "problem_type": None,
    "pruned_heads": {},
    "remove_invalid_values": False,
    "repetition_penalty": 1.0,
    "return_dict": True,
    "return_dict_in_generate": False,
    "sep_token_id": None,
    "suppress_tokens": None,
    "task_specific_params": None,
    "temperature": 1.0,
    "tf_legacy_loss": False,
    "tie_encoder_decoder": False,
    "tie_word_embeddings": False,
    "tokenizer_class": None,
    "top_k": 50,
    "top_p": 1.0,
    "torch_dtype": "bfloat16",
    "torchscript": False,
    "transformers_version": "4.37.2",
    "typical_p": 1.0,
    "use_bfloat16": True,
    "use_cache": True,
}


def _make_qwen2(dims: Dims) -> Json:
    return {
        "_name_or_path": "Qwen/Qwen2-0.5B-Instruct",
        "model_type": "qwen2",
        "_attn_implementation": "flash_attention_2",
        "attention_dropout": 0.0,
        "max_window_layers": dims.layers,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "use_sliding_window": False,
    }


def _make_internlm2(dims: Dims) -> Json:
    return {
        "_name_or_path": "internlm/internlm2-chat-1_8b",
        "model_type": "internlm2",
        "attn_implementation": "flash_attention_2",
        "auto_map": {
            "AutoConfig": "configuration_internlm2.InternLM2Config",
            "AutoModel": "modeling_internlm2.InternLM2ForCausalLM",
            "AutoModelForCausalLM": "modeling_internlm2.InternLM2ForCausalLM",
        },
        "bias": False,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 2.0, "type": "dynamic"},
        "rope_theta": 1000000,
    }


def _make_phi3(dims: Dims) -> Json:
    steps = range(dims.head_dim // 2)
    return {
        "_name_or_path": "microsoft/Phi-3-mini-128k-instruct",
        "model_type": "phi3",
        "attn_implementation": "flash_attention_2",
        "attention_dropout": 0.0,
        "auto_map": {
            "AutoConfig": "configuration_phi3.Phi3Config",
            "AutoModelForCausalLM": "modeling_phi3.Phi3ForCausalLM",
        },
        "embd_pdrop": 0.0,
        "max_position_embeddings": 131072,
        "original_max_position_embeddings": 4096,
        "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "long_factor": [round(1.0 + 0.9 * i, 2) for i in steps],
            "short_factor": [round(1.0 + 0.05 * i, 2) for i in steps],
            "type": "su",
        },
        "rope_theta": 10000.0,
        "sliding_window": 262144,
    }


def _make_llama(dims: Dims) -> Json:
    return {
        "_name_or_path": "NousResearch/Nous-Hermes-2-Yi-34B",
        "model_type": "llama",
        "_attn_implementation": "flash_attention_2",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "max_position_embeddings": 4096,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 5000000.0,
    }


_BACKBONES = {
    "qwen2": _make_qwen2,
    "internlm2": _make_internlm2,
    "phi3": _make_phi3,
    "llama": _make_llama,
}


def make_llm_config(backbone: Backbone, dims: Dims, token_ids: Json) -> Json:
    """Return ``llm_config``; ``token_ids`` holds bos, eos and pad ids."""
    return {
        **_LLM_DEFAULTS,
        **_BACKBONES[backbone](dims),
        **token_ids,
        "architectures": [ARCHITECTURES[backbone]],
        "hidden_size": dims.hidden,
        "intermediate_size": dims.intermediate,
        "num_attention_heads": dims.heads,
        "num_hidden_layers": dims.layers,
        "num_key_value_heads": dims.kv_heads,
        "vocab_size": dims.vocab_size,
    }
