"""Builds the prompt of chat messages in the format that the checkpoint was trained on.

No image is fetched and no tokenizer is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..families.find_prompt_format import find_prompt_format
from ..families.records import PromptFormat
from ..media.limits import DEFAULT_FRAMES
from ..media.media_item import Media
from .image_labels import Labels
from .media_order import lay_out, lay_out_as_written
from .messages import Turn, read_turns
from .segment import Segment


class RenderedPrompt(NamedTuple):
    """A prompt text with `<image>` for every image and frame, and the media in the same order."""

    text: str
    media: tuple[Media, ...]


def render(
    messages: Sequence[Mapping[str, Any]],
    prompt_format: PromptFormat | str,
    frames: int = DEFAULT_FRAMES,
    image_labels: bool = True,
) -> RenderedPrompt:
    """Return the prompt text of `messages`, and their media.

    Args:
        messages: as in an OpenAI chat request.
        prompt_format: one of the family's, or its name.
        frames: how many frames of every video are shown.
        image_labels: whether several images are numbered, and media put first, as in the model
            card; otherwise they stand where the request has them, or `<image>` in its text.

    Raises:
        RequestError: a message that cannot be rendered; the text names the part at fault.

    Source: the conversation templates published with InternVL2.
    """
    prompt = build_prompt(messages, prompt_format, frames, image_labels=image_labels)
    return RenderedPrompt("".join(segment.text for segment in prompt), collect_media(prompt))


def collect_media(prompt: Sequence[Segment]) -> tuple[Media, ...]:
    """Return the images and videos of a prompt, a video once for all its frames."""
    found = {id(segment.media): segment.media for segment in prompt if segment.media is not None}
    return tuple(found.values())


def build_prompt(
    messages: Sequence[Mapping[str, Any]],
    prompt_format: PromptFormat | str,
    frames: int | Sequence[int] = DEFAULT_FRAMES,
    continue_last: bool = True,
    image_labels: bool = True,
) -> list[Segment]:
    """Return the prompt of `messages` in segments: no text of a request is read as a control token.

    Args:
        frames: how many frames are shown of every video that does not say, or of each video.
        continue_last: whether the answer continues an assistant message at the end.
        others, errors: as for `render`.
    """
    if isinstance(prompt_format, str):
        prompt_format = find_prompt_format(prompt_format)
    turns = read_turns(messages)
    if turns[0].role != "system":
        turns.insert(0, Turn("system", [prompt_format.system_text], "the prompt format"))
    labels = Labels(_count_images(turns) if image_labels else 0, frames)
    prompt: list[Segment] = []
    for turn in turns:
        prompt.append(Segment(prompt_format.roles[turn.role], trusted=True))
        prompt += (lay_out if image_labels else lay_out_as_written)(turn, labels)
        prompt.append(Segment(prompt_format.turn_end, trusted=True))
    if continue_last and turns[-1].role == "assistant":
        # Its turn is not ended, so that the answer continues it.
        prompt.pop()
    else:
        prompt.append(Segment(prompt_format.roles["assistant"], trusted=True))
    return [segment for segment in prompt if segment.text]


def _count_images(turns: Sequence[Turn]) -> int:
    parts = (part for turn in turns for part in turn.parts)
    return sum(isinstance(part, Media) and part.kind == "image" for part in parts)
