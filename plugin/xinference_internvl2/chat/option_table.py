"""The table of request options: ranges, neutral values, effects; the documentation prints it too.

An option is honoured, and has values that it may have; or only its neutral values are accepted,
which change nothing; or it never has an effect on an answer. Every other option is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import NO_TOOLS
from .max_tokens import DEFAULT_MAX_TOKENS
from .option_value_types import (
    Biases,
    Described,
    Flag,
    Number,
    Object,
    Text,
    Texts,
    TokenIds,
    Values,
    Whole,
)

MAX_CHOICES = 16
MAX_TOP_LOGPROBS = 20
MAX_STOP_TOKENS, MAX_BAD_WORDS, MAX_NAMED_TOKENS = 64, 64, 1024
MAX_RUN, MAX_REPETITIONS = 64, 1000


@dataclass(frozen=True, slots=True)
class Option:
    """A field of a request, or of an object in it.

    Attributes:
        effect: what it does; or why only its neutral values are accepted.
        values: those that it may have; None where only `neutral` is accepted.
        neutral: the values that change nothing.
    """

    name: str
    effect: str
    values: Values | None = None
    neutral: tuple[Any, ...] = ()


def _table(*options: Option) -> Mapping[str, Option]:
    return {option.name: option for option in options}


NO_REASONING = "the model does not reason"
_NO_BEAMS = "answers are sampled, not searched for with beams"
_NOT_HERE = "no engine of this plugin has it"
_GRAMMAR = "the answer follows it"

HONOURED = _table(
    Option(
        "max_tokens",
        "the most tokens of an answer; without it, what the server was started with, or "
        f"{DEFAULT_MAX_TOKENS}",
        Whole(1, 1 << 31),
    ),
    Option("max_completion_tokens", "as `max_tokens`", Whole(1, 1 << 31)),
    Option(
        "min_tokens",
        "the answer does not end, and no stop string is looked for, in its first so many tokens",
        Whole(0, 1 << 31),
        (0,),
    ),
    Option("ignore_eos", "the answer goes on to `max_tokens`", Flag(), (False,)),
    Option(
        "temperature",
        "0 takes the likeliest token; so do requests without any option of sampling",
        Number(0, 100),
    ),
    Option("do_sample", "false takes the likeliest token, whatever the temperature", Flag()),
    Option("top_p", "only the likeliest tokens, of that probability together", Number(0, 1), (1,)),
    Option("top_k", "only so many of the likeliest tokens", Whole(-1, (1 << 63) - 1), (0, -1)),
    Option(
        "min_p",
        "only tokens at least that part as likely as the likeliest one",
        Number(0, 1),
        (0,),
    ),
    Option("seed", "the same seed gives the same answer", Whole(0, (1 << 63) - 1)),
    Option(
        "n",
        "so many answers, whose seeds follow each other",
        Whole(1, MAX_CHOICES),
        (1,),
    ),
    Option(
        "repetition_penalty",
        "tokens of the prompt and the answer are less likely by that factor",
        Number(1e-3, 1e3),
        (1,),
    ),
    Option("presence_penalty", "tokens of the answer are less likely", Number(-2, 2), (0,)),
    Option(
        "frequency_penalty",
        "tokens of the answer are less likely each time they are used",
        Number(-2, 2),
        (0,),
    ),
    Option(
        "stop",
        "the answer ends before the first of these strings",
        Texts(16, Text(1, 256)),
        ([],),
    ),
    Option("stop_token_ids", "these tokens end the answer too", TokenIds(MAX_STOP_TOKENS), ([],)),
    Option(
        "include_stop_str_in_output",
        "the answer keeps the string of `stop` or the token of `stop_token_ids` that ended it",
        Flag(),
        (False,),
    ),
    Option(
        "repetition_ngram_size",
        "with `repetition_ngram_threshold`, the answer ends once so many tokens in a row stand in "
        "it that often; its `stop_reason` is `repetition_detected` then",
        Whole(0, MAX_RUN),
        (0,),
    ),
    Option(
        "repetition_ngram_threshold",
        "how often; see `repetition_ngram_size`",
        Whole(2, MAX_REPETITIONS),
        (0,),
    ),
    Option(
        "logit_bias",
        "token ids, and what is added to their logits",
        Biases(MAX_NAMED_TOKENS, Number(-100, 100)),
        ({},),
    ),
    Option(
        "allowed_token_ids",
        "no other token comes, the one that ends an answer included",
        TokenIds(MAX_NAMED_TOKENS),
        ([],),
    ),
    Option(
        "bad_words",
        "the answer has none of these texts, as far as they are written with the same tokens",
        Texts(MAX_BAD_WORDS, Text(1, 64)),
        ([],),
    ),
    Option(
        "skip_special_tokens",
        "false leaves control tokens such as `<ref>` and `<box>` in the text; the one that ends "
        "the answer never is",
        Flag(),
        (True,),
    ),
    Option(
        "boxes",
        "the message, or in a stream its last chunk, has the `boxes` of the answer as data",
        Flag(),
        (False,),
    ),
    Option(
        "render",
        "nothing is generated: the response has the `prompt` and its `prompt_token_ids`",
        Flag(),
        (False,),
    ),
    Option("logprobs", "the log probability of every token", Flag(), (False,)),
    Option(
        "top_logprobs",
        "with `logprobs`, those of so many of the likeliest tokens too",
        Whole(0, MAX_TOP_LOGPROBS),
        (0,),
    ),
    Option(
        "response_format",
        _GRAMMAR,
        Described("an object of type json_object, or of type json_schema with a schema"),
        ({"type": "text"},),
    ),
    Option(
        "structured_outputs",
        "one of `json`, `json_object`, `regex`, `choice` and `grammar`, which are as the guided "
        "options",
        Object(),
        ({},),
    ),
    Option("lora_name", "the LoRA adapter that answers; see `--lora-modules`", Text(1, 256), ("",)),
    Option("guided_json", _GRAMMAR, Described("a JSON schema")),
    Option("guided_json_object", "the answer is JSON", Flag(), (False,)),
    Option("guided_regex", _GRAMMAR, Described("a regular expression")),
    Option("guided_choice", "the answer is one of them", Described("strings")),
    Option("guided_grammar", _GRAMMAR, Described("a grammar, as Lark or llama.cpp has it")),
    Option("stream", "the answer comes in chunks", Flag(), (False,)),
    Option("stream_options", "see below", Object(), ({},)),
    Option("mm_processor_kwargs", "see below", Object(), ({},)),
    Option("chat_template_kwargs", "see below", Object(), ({},)),
    Option(
        "continue_final_message",
        "true, the default, goes on with an assistant message at the end; false answers it",
        Flag(),
    ),
    Option(
        "add_generation_prompt",
        "the opposite of `continue_final_message`, after an assistant message",
        Flag(),
    ),
    Option(
        "request_id",
        "names the request, so that `POST /v1/models/MODEL/requests/ID/abort` can end it",
        Text(1, 256),
    ),
    Option("cache_salt", "only requests with the same salt share a cache", Text(1, 1 << 16)),
)

ONLY_NEUTRAL = _table(
    Option("best_of", "answers are not ranked, n says how many there are", None, (1,)),
    Option("num_beams", _NO_BEAMS, None, (1,)),
    Option("num_beam_groups", _NO_BEAMS, None, (1,)),
    Option("use_beam_search", _NO_BEAMS, None, (False,)),
    Option("length_penalty", _NO_BEAMS, None, (1,)),
    Option("diversity_penalty", _NO_BEAMS, None, (0,)),
    Option("early_stopping", _NO_BEAMS, None, (False,)),
    Option("typical_p", _NOT_HERE, None, (1,)),
    Option("no_repeat_ngram_size", "use repetition_ngram_size", None, (0,)),
    Option("detokenize", "an answer is text; its tokens are in logprobs", None, (True,)),
    Option("add_special_tokens", "the prompt format has all its tokens", None, (False,)),
    Option("return_token_ids", _NOT_HERE, None, (False,)),
    Option("return_tokens_as_token_ids", _NOT_HERE, None, (False,)),
    Option("echo", "a response has only what is new", None, (False,)),
    Option("suffix", "the model does not fill in", None, ("",)),
    Option("priority", "requests are answered in the order of their arrival", None, (0,)),
    Option("tools", NO_TOOLS, None, ([],)),
    Option("functions", NO_TOOLS, None, ([],)),
    Option("tool_choice", NO_TOOLS, None, ("none", "auto")),
    Option("function_call", NO_TOOLS, None, ("none", "auto")),
    Option("documents", "the prompt format has no place for them", None, ([],)),
    Option("modalities", "answers are text", None, (["text"],)),
    Option("verbosity", "the model has no such setting", None, ("medium",)),
    Option("reasoning_effort", NO_REASONING, None, ("none", "minimal")),
    Option("enable_thinking", NO_REASONING, None, (False,)),
    Option("thinking", NO_REASONING, None, (False, {"type": "disabled"})),
)

_WHO_ASKS = "says who asks, or what for"
_SERVER = "says how a server should work"
_REASONING = "says what to do with reasoning, of which there is none"
WITHOUT_EFFECT = _table(
    *(Option(name, _WHO_ASKS) for name in ("user", "metadata", "safety_identifier", "store")),
    *(Option(name, _SERVER) for name in ("service_tier", "stream_interval", "betas")),
    *(Option(name, _SERVER) for name in ("prompt_cache_key", "prompt_cache_retention")),
    *(Option(name, NO_TOOLS) for name in ("parallel_tool_calls", "max_tool_calls")),
    Option("include_reasoning", _REASONING),
    Option("separate_reasoning", _REASONING),
    Option("spaces_between_special_tokens", "changes nothing with this family's tokenizers"),
)

OPTIONS: Mapping[str, Option] = {
    **HONOURED,
    **ONLY_NEUTRAL,
    **{
        name: Option(name, option.effect, Described("any value"))
        for name, option in WITHOUT_EFFECT.items()
    },
}

STREAM_OPTIONS = _table(
    Option("include_usage", "a last chunk has the usage", Flag(), (False,)),
    Option("continuous_usage_stats", "every chunk has the usage so far", Flag(), (False,)),
    Option("include_obfuscation", "changes no answer", Flag(), (False, True)),
)

TEMPLATE_OPTIONS = _table(
    Option(
        "image_labels",
        "true numbers several pictures (`Image-1: `) and puts them first, as the model card does; "
        "false leaves them where they stand, or puts them in place of `<image>` in the text",
        Flag(),
    ),
    *(ONLY_NEUTRAL[name] for name in ("enable_thinking", "thinking", "reasoning_effort")),
    *(HONOURED[name] for name in ("continue_final_message", "add_generation_prompt")),
)
"""The keys of `chat_template_kwargs`."""
