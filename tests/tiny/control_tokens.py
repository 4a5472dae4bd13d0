"""Control tokens of the four backbones, as the published repositories list them."""

from __future__ import annotations

from dataclasses import dataclass

VISION = (
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<quad>",
    "</quad>",
    "<ref>",
    "</ref>",
    "<box>",
    "</box>",
)
INTERNLM2 = (
    "<|plugin|>",
    "<|interpreter|>",
    "<|action_end|>",
    "<|action_start|>",
    "<|im_end|>",
    "<|im_start|>",
)
PHI3 = (
    "<|endoftext|>",
    "<|assistant|>",
    "<|placeholder1|>",
    "<|placeholder2|>",
    "<|placeholder3|>",
    "<|placeholder4|>",
    "<|system|>",
    "<|end|>",
    "<|placeholder5|>",
    "<|placeholder6|>",
    "<|user|>",
)
YI_PIECES = ("<|Human|>", "<|Assistant|>", "<|System|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>")

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content']"
    " + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PHI3_CHAT = (
    "{{ bos_token }}{% for message in messages %}{{'<|' + message['role'] + '|>' + '\\n'"
    " + message['content'] + '<|end|>\\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|assistant|>\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Kind:
    """What distinguishes the tokenizer files of one backbone."""

    template: str  # the prompt format named in config.json
    stops: tuple[str, ...]  # eos tokens of generation_config.json
    settings: dict[str, object]  # tokenizer_config.json without the added tokens
    own: tuple[str, ...]  # control tokens ahead of the vision ones
    special_map: tuple[str, ...]  # additional_special_tokens


KINDS: dict[str, Kind] = {
    "qwen2": Kind(
        template="Hermes-2",
        stops=("<|im_start|>", "<|im_end|>"),
        settings={
            "add_eos_token": False,
            "add_prefix_space": False,
            "bos_token": None,
            "chat_template": CHATML,
            "clean_up_tokenization_spaces": False,
            "eos_token": "<|im_end|>",
            "errors": "replace",
            "model_max_length": 8192,
            "pad_token": "<|endoftext|>",
            "split_special_tokens": False,
            "tokenizer_class": "Qwen2Tokenizer",
            "unk_token": None,
        },
        own=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        special_map=("<|im_start|>", "<|im_end|>", *VISION),
    ),
    "internlm2": Kind(
        template="internlm2-chat",
        stops=("<|im_end|>", "<|im_start|>"),
        settings={
            "auto_map": {"AutoTokenizer": ["tokenization_internlm2.InternLM2Tokenizer", None]},
            "bos_token": "<s>",
            "chat_template": "{{ bos_token }}" + CHATML,
            "clean_up_tokenization_spaces": False,
            "eos_token": "</s>",
            "model_max_length": 4096,
            "pad_token": "</s>",
            "tokenizer_class": "InternLM2Tokenizer",
            "unk_token": "<unk>",
        },
        own=INTERNLM2,
        special_map=(*reversed(INTERNLM2), *VISION),
    ),
    "phi3": Kind(
        template="phi3-chat",
        stops=("<|end|>", "<|endoftext|>"),
        settings={
            "add_bos_token": True,
            "add_eos_token": False,
            "bos_token": "<s>",
            "chat_template": PHI3_CHAT,
            "clean_up_tokenization_spaces": False,
            "eos_token": "<|endoftext|>",
            "legacy": False,
            "model_max_length": 4096,
            "pad_token": "<|endoftext|>",
            "padding_side": "left",
            "sp_model_kwargs": {},
            "tokenizer_class": "LlamaTokenizer",
            "unk_token": "<unk>",
            "use_default_system_prompt": False,
        },
        own=PHI3,
        special_map=VISION,
    ),
    "yi": Kind(
        template="Hermes-2",
        stops=("<|im_end|>",),
        settings={
            "add_bos_token": False,
            "add_eos_token": False,
            "bos_token": "<|startoftext|>",
            "chat_template": CHATML,
            "clean_up_tokenization_spaces": False,
            "eos_token": "<|im_end|>",
            "legacy": True,
            "model_max_length": 4096,
            "pad_token": "<unk>",
            "sp_model_kwargs": {},
            "tokenizer_class": "LlamaTokenizer",
            "unk_token": "<unk>",
        },
        own=("<|im_start|>", "<|im_end|>"),
        special_map=VISION,
    ),
    "llama3": Kind(
        template="internlm2-chat",
        stops=("<|im_end|>", "<|end_of_text|>"),
        settings={
            "bos_token": "<|begin_of_text|>",
            "chat_template": "{{ bos_token }}" + CHATML,
            "clean_up_tokenization_spaces": False,
            "eos_token": "<|im_end|>",
            "model_input_names": ["input_ids", "attention_mask"],
            "model_max_length": 8192,
            "pad_token": "<|end_of_text|>",
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
        own=("<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"),
        special_map=VISION,
    ),
}
