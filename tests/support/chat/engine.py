"""An engine that reports what it is told to, and what reads its tokens."""

from __future__ import annotations

from collections.abc import Sequence

from xinference_internvl2.chat.detokenizer import Detokenizer
from xinference_internvl2.engine_outputs import FinishOutput, Outputs, PromptOutput, TokenOutput
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer


def tokens(tokenizer: InternVL2Tokenizer, choice: int, text: str) -> list[TokenOutput]:
    return [TokenOutput(choice, i) for i in tokenizer.encode(text, add_special_tokens=False)]


class Engine:
    """Reports `events`, and remembers whether it was stopped before their end."""

    def __init__(self, events: Sequence[PromptOutput | TokenOutput | FinishOutput]) -> None:
        self._events, self.reported, self.stopped = events, 0, False

    async def __call__(self) -> Outputs:
        try:
            for event in self._events:
                self.reported += 1
                yield event
        finally:
            self.stopped = True


def detokenizers(
    tokenizer: InternVL2Tokenizer, choices: int, stop: tuple[str, ...] = ()
) -> list[Detokenizer]:
    return [Detokenizer(tokenizer, stop) for _ in range(choices)]
