"""The control tokens of the published tokenizers, which no text of a user may become."""

from __future__ import annotations

from collections.abc import Mapping

_VISION = "<img> </img> <IMG_CONTEXT> <quad> </quad> <ref> </ref> <box> </box>"
_CHATML = "<|im_start|> <|im_end|>"


def _split_tokens(*texts: str) -> frozenset[str]:
    return frozenset(" ".join((*texts, _VISION)).split())


BY_BACKBONE: Mapping[str, frozenset[str]] = {
    "Qwen2ForCausalLM": _split_tokens("<|endoftext|>", _CHATML),
    "InternLM2ForCausalLM": _split_tokens(
        "<unk> <s> </s>", _CHATML, "<|plugin|> <|interpreter|> <|action_start|> <|action_end|>"
    ),
    "Phi3ForCausalLM": _split_tokens(
        "<unk> <s> </s> <|endoftext|> <|system|> <|user|> <|assistant|> <|end|>",
        *(f"<|placeholder{number}|>" for number in range(1, 7)),
    ),
    # Yi and Llama 3.
    "LlamaForCausalLM": _split_tokens(
        "<unk> <|startoftext|> <|endoftext|>",
        _CHATML,
        "<|im_sep|> <|Human|> <|Assistant|> <|System|>",
        "<|begin_of_text|> <|end_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|>",
        *(f"<|reserved_special_token_{number}|>" for number in range(251)),
    ),
}
"""The keys of `checkpoint.backbones.BACKBONES` → the control tokens of their tokenizers."""

CONTROL_TOKENS = frozenset[str]().union(*BY_BACKBONE.values())
"""Those of all of them: a tokenizer of one backbone tells those of another from text, too."""
