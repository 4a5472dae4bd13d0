"""Checks the options of a launch: each is honoured, known to be neutral, or refused by name.

The value of an option is read where it is used: `media_launch_options`, `prompt_launch_options`, or
the `launch_options` of an engine. `launch_option_values` has the types that they share.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import CheckpointError

ANY = object()
"""Stands for every value: the option changes nothing."""


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """The options that a launch on one engine may have.

    Attributes:
        honoured: options that the engine or its loader reads.
        neutral: options that neither reads → the values that change nothing, or `ANY`.
        refused: options of other engines → the remedy.
    """

    engine: str
    honoured: Collection[str]
    neutral: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def check(self, given: Mapping[str, Any]) -> None:
        """Refuse options that the engine would ignore.

        Raises:
            CheckpointError: the engine lacks an option of `given`, or ignores its value.
        """
        for name, value in given.items():
            # What the host adds for itself begins with an underscore.
            if name in self.honoured or value is None or name.startswith("_"):
                continue
            neutral = self.neutral.get(name, ())
            if neutral is not ANY and value not in neutral:
                raise CheckpointError(self._refuse(name, value))

    def _refuse(self, name: str, value: Any) -> str:
        if name in self.refused:
            return f"the {self.engine} engine has no option {name}; {self.refused[name]}"
        if name in self.neutral:
            return f"{name} {value!r:.80} changes nothing for this model; leave it out"
        close = difflib.get_close_matches(name, self.honoured, 1)
        hint = f"did you mean {close[0]}?" if close else "leave it out"
        return f"the {self.engine} engine has no option {name}; {hint}"
