"""One chat and its prompts, and the pictures that chats are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .media import draw_picture, image_uri, video_uri

SYSTEM = (
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，"
    "英文名叫InternVL, 是一个有用无害的人工智能助手。"
)
ONE, WIDE = draw_picture(112, 112), draw_picture(640, 320)
SQUARE, BANNER = image_uri(ONE), image_uri(WIDE, "JPEG")
ANTHROPIC = {"type": "base64", "media_type": "image/png", "data": SQUARE.split(",")[1]}
CLIP, STILL = video_uri(), video_uri(1)

# Written once, since it stands before nearly every prompt.
IM_SYSTEM = f"<|im_start|>system\n{SYSTEM}<|im_end|>"
PHI_SYSTEM = f"<|system|>\n{SYSTEM}<|end|>"


@dataclass(frozen=True)
class Case:
    """A chat and the prompts that it becomes.

    Attributes:
        chatml, phi3: the prompt in either format.
        tiles: the number of tiles of every `<image>` of the prompt, at most 12 of 112 pixels.
        options: of the request, beside the messages.
    """

    name: str
    messages: list[dict[str, Any]]
    chatml: str
    phi3: str
    tiles: list[int] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def image_labels(self) -> bool:
        return bool(self.options.get("chat_template_kwargs", {}).get("image_labels", True))

    @property
    def continue_last(self) -> bool:
        return bool(self.options.get("continue_final_message", True))

    @property
    def frames(self) -> int:
        return int(self.options.get("mm_processor_kwargs", {}).get("num_frames", 8))
