"""What ends an answer: stop strings and stop tokens of request, launch and prompt format.

`max_tokens` does too, which `max_tokens.py` reads, and a repetition, which
`repetition_detection.py` finds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import CheckpointError
from ..tokenizer.tokenizer import InternVL2Tokenizer
from .served_checkpoint import ServedCheckpoint

MAX_LAUNCH_STOPS = 16


def read_stop_strings(options: Mapping[str, Any], of_launch: Sequence[str]) -> tuple[str, ...]:
    """Return the strings that end an answer: those of its request, and those of the launch."""
    return (*options.get("stop", ()), *of_launch)


def read_stop_ids(options: Mapping[str, Any], served: ServedCheckpoint) -> list[int]:
    """Return the tokens that end an answer; with `ignore_eos`, only those of `stop_token_ids`."""
    of_format = [] if options.get("ignore_eos") else find_format_stop_ids(served)
    return [*of_format, *options.get("stop_token_ids", ())]


def find_format_stop_ids(served: ServedCheckpoint) -> list[int]:
    """Return the stop tokens of the prompt format; the EOS that a repository names has no say.

    Texts of the launch's `stop` that are tokens are among them.
    """
    return [served.tokenizer.convert_tokens_to_ids(stop) for stop in served.prompt_format.stop]


def read_launch_stop(
    value: Any, tokenizer: InternVL2Tokenizer
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the texts of a launch's `stop` that are control tokens, and those that are strings.

    Raises:
        CheckpointError: `value` is not a string or a list of strings.
    """
    stops = _read_stops(value)
    controls = tokenizer.get_added_vocab()
    return (
        tuple(stop for stop in stops if stop in controls),
        tuple(stop for stop in stops if stop not in controls),
    )


def _read_stops(value: Any) -> list[str]:
    """Return the texts of `stop`: a string, or a list, which a command line gives as JSON."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            value = [None]
    stops = [value] if isinstance(value, str) else value or []
    valid = isinstance(stops, list) and all(isinstance(stop, str) and stop for stop in stops)
    if not valid or len(stops) > MAX_LAUNCH_STOPS:
        raise CheckpointError(
            f"stop {value!r:.80} is not a string or a JSON list of at most {MAX_LAUNCH_STOPS} "
            "strings"
        )
    return list(stops)


class StopStringMatcher:
    """Cuts a text at its first stop string, which may be spread over several of its parts.

    Attributes:
        found: the stop string that ended the text, or None.
        held_back: the end of the text, which may be the start of a stop string.

    Args:
        include: whether the text keeps the stop string.
    """

    def __init__(self, stop: Sequence[str], include: bool = False) -> None:
        self._stop, self._include = tuple(stop), include
        self.found: str | None = None
        self.held_back = ""

    def add(self, part: str, may_stop: bool = True) -> str:
        """Add the next part, and return the text that cannot be part of a stop string."""
        text = self.held_back + part
        stops = [stop for stop in self._stop if may_stop and stop in text]
        places = {text.find(stop): stop for stop in stops}
        end = min(places, default=len(text) - self._match_start(text))
        self.found = places.get(end)
        if self.found and self._include:
            end += len(self.found)
        self.held_back = text[end:]
        return text[:end]

    def _match_start(self, text: str) -> int:
        """Return the length of the longest suffix of `text` that is a prefix of a stop string."""
        lengths = (
            size
            for string in self._stop
            for size in range(1, min(len(string), len(text) + 1))
            if text.endswith(string[:size])
        )
        return max(lengths, default=0)
