"""Compiles the grammar that an answer has to match, in the form that both engines give llguidance.

Its compiler is lazy, and bounds its own time and memory. Only the size of the source is bounded
here, since long lists are read in quadratic time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from .errors import RequestError

MAX_CHARACTERS = 1 << 16
"""Of a schema, a regular expression, a grammar, or all choices together."""
MAX_CHOICES = 1000
ONE_SPACE = {"whitespace_flexible": False, "key_separator": ": ?", "item_separator": ", ?"}
"""llguidance's options for JSON: where white space is free, a model may write it without end."""
BROKEN_OFF = (
    "the form of the answer cannot be kept: in the middle of the answer it became too complex, or "
    "wanted the text of a control token"
)
_LIBRARY = "an answer of a given form needs llguidance, which is not installed here"
_INSTALL = "pip install 'xinference-internvl2[transformers]'"


def compile_grammar(kind: str, value: Any) -> str:
    """Return a grammar in the form that llguidance's `LLMatcher` takes.

    Args:
        kind: `json`, `regex`, `choice` or `grammar`.
        value: a JSON schema, a regular expression, a list of strings, or a grammar in the notation
            of Lark or llama.cpp.

    Raises:
        RequestError: the grammar is too large, cannot be compiled, or no text can match it.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > MAX_CHARACTERS or (kind == "choice" and len(value) > MAX_CHOICES):
        raise RequestError(
            f"the form of the answer ({kind}) is too large; give at most {MAX_CHARACTERS} "
            f"characters and {MAX_CHOICES} choices"
        )
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise refusal("it has half a surrogate pair, which is no character")
    try:
        from llguidance import LLMatcher, grammar_from
    except ImportError:
        raise RequestError(f"{_LIBRARY}; {_INSTALL}") from None
    try:
        if kind == "json":
            grammar = LLMatcher.grammar_from_json_schema(value)
        else:
            grammar = grammar_from(kind, value)
    except ValueError as error:
        raise refusal(str(error)) from None
    _check_satisfiable(grammar)
    return str(grammar)


def limit_white_space(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON schema whose answers have at most one space after a colon or a comma."""
    return {"x-guidance": ONE_SPACE, **schema}


def check_complete(kind: str, value: Any, text: bytes) -> None:
    """Check that the finished answer `text` matches its whole grammar.

    Raises:
        RequestError: it ends before its grammar does.
    """
    from llguidance import LLMatcher

    matcher = LLMatcher(_byte_tokenizer(), compile_grammar(kind, value), log_level=0)
    matcher.consume_tokens(list(text))
    if not matcher.is_accepting():
        raise RequestError(BROKEN_OFF)


def refusal(problem: str) -> RequestError:
    """Return the error for a grammar that llguidance refuses with the message `problem`."""
    reason = " ".join(problem.partition("\n<")[0].split()) or "it is too complex"
    if reason.startswith("NoExtension"):
        reason = "no text matches it"
    return RequestError(f"the form of the answer cannot be kept: {reason:.300}")


def _check_satisfiable(grammar: str) -> None:
    """Compute which bytes an answer may begin with: only then does llguidance compile the grammar.

    Raises:
        RequestError: there are none, or the grammar is too complex.
    """
    from llguidance import LLMatcher

    matcher = LLMatcher(_byte_tokenizer(), grammar, log_level=0)
    matcher.compute_bitmask()
    if matcher.is_error():
        raise refusal(matcher.get_error())


@cache
def _byte_tokenizer() -> Any:
    """Return a tokenizer of single bytes, which is enough to match text without a checkpoint."""
    from llguidance import LLTokenizer

    return LLTokenizer("byte")
