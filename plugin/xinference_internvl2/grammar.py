"""The form that an answer has to have, as a grammar that both engines read with llguidance.

Its compiler is lazy and bounds itself, in time and in memory; here only the size of what it is
given is bounded, since it reads long lists in quadratic time.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from .errors import RequestError

MAX_CHARACTERS = 1 << 16
"""Of a schema, a regular expression, a grammar, or all choices together."""
MAX_CHOICES = 1000
BROKEN_OFF = (
    "the form of the answer cannot be kept: in the middle of the answer it became too complex, or "
    "wanted the text of a control token"
)
_LIBRARY = "an answer of a given form needs llguidance, which is not installed here"
_INSTALL = "pip install 'xinference-internvl2[transformers]'"


def compile_grammar(kind: str, value: Any) -> str:
    """Return a grammar in the form that llguidance's matchers take.

    Args:
        kind: `json` for a JSON schema, `regex`, `choice` for a list of strings, or `grammar` for
            one in Lark's notation, or as llama.cpp has it.

    Raises:
        RequestError: it is too large, cannot be compiled, or nothing can match it.
    """
    size = len(value) if isinstance(value, str) else len(json.dumps(value))
    if size > MAX_CHARACTERS or (kind == "choice" and len(value) > MAX_CHOICES):
        raise RequestError(
            f"the form of the answer ({kind}) is too large; give at most {MAX_CHARACTERS} "
            f"characters and {MAX_CHOICES} choices"
        )
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
    _try(grammar)
    return str(grammar)


def check_whole(kind: str, value: Any, text: bytes) -> None:
    """Check that an answer has all of its form.

    Raises:
        RequestError: it has not.
    """
    from llguidance import LLMatcher

    matcher = LLMatcher(_bytes_alone(), compile_grammar(kind, value), log_level=0)
    matcher.consume_tokens(list(text))
    if not matcher.is_accepting():
        raise RequestError(BROKEN_OFF)


def refusal(problem: str) -> RequestError:
    """Return what is said of a form that no answer can have, of which llguidance says why."""
    reason = " ".join(problem.partition("\n<")[0].split()) or "it is too complex"
    if reason.startswith("NoExtension"):
        reason = "no text matches it"
    return RequestError(f"the form of the answer cannot be kept: {reason:.300}")


def _try(grammar: str) -> None:
    """Look for the first letters of an answer, since the compiler leaves most of its work until
    then."""
    from llguidance import LLMatcher

    matcher = LLMatcher(_bytes_alone(), grammar, log_level=0)
    matcher.compute_bitmask()
    if matcher.is_error():
        raise refusal(matcher.get_error())


@cache
def _bytes_alone() -> Any:
    """Return a tokenizer whose tokens are single bytes: enough to see whether something matches."""
    from llguidance import LLTokenizer

    return LLTokenizer("byte")
