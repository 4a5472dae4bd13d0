"""What ends an answer: stop strings of request and launch, stop tokens of request and format.

`max_tokens` does too, which `build_sampling_params.py` reads, and a repetition, which
`repetition_detection.py` finds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .served_checkpoint import ServedCheckpoint


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
