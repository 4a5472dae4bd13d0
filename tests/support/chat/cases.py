"""What a chat can contain: every case with its prompt, written out in each of the formats.

Unit tests hold the prompts against `render`; end-to-end tests send the messages to both engines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .media import assistant, clip, drawn, image, image_uri, system, text, user, video_uri

SYSTEM = (
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，"
    "英文名叫InternVL, 是一个有用无害的人工智能助手。"
)
ONE, WIDE = drawn(112, 112), drawn(640, 320)
SQUARE, BANNER = image_uri(ONE), image_uri(WIDE, "JPEG")
ANTHROPIC = {"type": "base64", "media_type": "image/png", "data": SQUARE.split(",")[1]}
CLIP, STILL = video_uri(), video_uri(1)

# Written once, since it stands before nearly every prompt.
IM_SYSTEM = f"<|im_start|>system\n{SYSTEM}<|im_end|>"
PHI_SYSTEM = f"<|system|>\n{SYSTEM}<|end|>"


@dataclass(frozen=True)
class Case:
    """`tiles` has the number of tiles of every `<image>` of the prompt, with tiles of 112 pixels
    and at most 12 of them; `options` go beside the messages."""

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


PICTURE = image(SQUARE)
UNLABELLED = {"chat_template_kwargs": {"image_labels": False}}
# What the openai client makes of an answer's message.
AS_IT_CAME = {
    **assistant("Hello."),
    **dict.fromkeys(("refusal", "annotations", "audio", "function_call", "tool_calls")),
}
FRAMES = "".join(f"Frame{number}: <image>\n" for number in range(1, 9))
LETTERS = "<image> <img><IMG_CONTEXT></img> <|im_start|>system <|im_end|> <|end|> <s> </s> <|user|>"

CASES = [
    Case(
        "text",
        [user("Hi")],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|assistant|>\n",
    ),
    Case(
        "system text",
        [system("Be brief."), user("Hi")],
        "<|im_start|>system\nBe brief.<|im_end|>"
        "<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n",
        "<|system|>\nBe brief.<|end|><|user|>\nHi<|end|><|assistant|>\n",
    ),
    Case(
        "system text in parts",
        [system([text("Be brief."), text("Be kind.")]), user("Hi")],
        "<|im_start|>system\nBe brief.\nBe kind.<|im_end|>"
        "<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n",
        "<|system|>\nBe brief.\nBe kind.<|end|><|user|>\nHi<|end|><|assistant|>\n",
    ),
    Case(
        "developer",
        [{"role": "developer", "content": "Be brief."}, user("Hi")],
        "<|im_start|>system\nBe brief.<|im_end|>"
        "<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n",
        "<|system|>\nBe brief.<|end|><|user|>\nHi<|end|><|assistant|>\n",
    ),
    Case(
        "two system messages",
        [system("Be brief."), {"role": "developer", "content": [text("Be kind.")]}, user("Hi")],
        "<|im_start|>system\nBe brief.\nBe kind.<|im_end|>"
        "<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n",
        "<|system|>\nBe brief.\nBe kind.<|end|><|user|>\nHi<|end|><|assistant|>\n",
    ),
    Case(
        "a later system message",
        [user("Hi"), assistant("Hello."), system("Be brief."), user("Bye")],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\nHello.<|im_end|>"
        "<|im_start|>system\nBe brief.<|im_end|>"
        "<|im_start|>user\nBye<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|assistant|>\nHello.<|end|>"
        "<|system|>\nBe brief.<|end|><|user|>\nBye<|end|><|assistant|>\n",
    ),
    Case(
        "a system message at the end",
        [user("Hi"), system("Be brief.")],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>system\nBe brief.<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|system|>\nBe brief.<|end|><|assistant|>\n",
    ),
    Case(
        "empty system text",
        [system(""), user("Hi")],
        "<|im_start|>system\n<|im_end|><|im_start|>user\nHi<|im_end|><|im_start|>assistant\n",
        "<|system|>\n<|end|><|user|>\nHi<|end|><|assistant|>\n",
    ),
    Case(
        "several turns",
        [user("Hi"), assistant("Hello."), user("Bye")],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\nHello.<|im_end|>"
        "<|im_start|>user\nBye<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|assistant|>\nHello.<|end|>"
        "<|user|>\nBye<|end|><|assistant|>\n",
    ),
    Case(
        "user after user",
        [user("One"), user("Two")],
        f"{IM_SYSTEM}<|im_start|>user\nOne<|im_end|><|im_start|>user\nTwo<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nOne<|end|><|user|>\nTwo<|end|><|assistant|>\n",
    ),
    Case(
        "assistant first",
        [assistant("Welcome."), user("Hi")],
        f"{IM_SYSTEM}<|im_start|>assistant\nWelcome.<|im_end|><|im_start|>user\nHi<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|assistant|>\nWelcome.<|end|><|user|>\nHi<|end|><|assistant|>\n",
    ),
    Case(
        "empty text",
        [user("")],
        f"{IM_SYSTEM}<|im_start|>user\n<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<|end|><|assistant|>\n",
    ),
    Case(
        "no content",
        [user("Hi"), assistant(None), user("Bye")],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\n<|im_end|>"
        "<|im_start|>user\nBye<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|assistant|>\n<|end|><|user|>\nBye<|end|><|assistant|>\n",
    ),
    Case(
        "the last answer is continued",
        [user("Hi"), assistant("Hel")],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\nHel",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|assistant|>\nHel",
    ),
    Case(
        "the last answer is not continued",
        [user("Hi"), assistant("Hello.")],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\nHello.<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|assistant|>\nHello.<|end|><|assistant|>\n",
        options={"continue_final_message": False},
    ),
    Case(
        "an answer in parts",
        [user("Hi"), assistant([text("Hello.")]), user("Bye")],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\nHello.<|im_end|>"
        "<|im_start|>user\nBye<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|assistant|>\nHello.<|end|>"
        "<|user|>\nBye<|end|><|assistant|>\n",
    ),
    Case(
        "texts in parts",
        [user([text("One"), text("二 🦊")])],
        f"{IM_SYSTEM}<|im_start|>user\nOne\n二 🦊<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nOne\n二 🦊<|end|><|assistant|>\n",
    ),
    Case(
        "texts as the Responses API has them",
        [
            user([{"type": "input_text", "text": "Hi"}]),
            assistant([{"type": "output_text", "text": "Hello.", "annotations": []}]),
            user([{"type": "input_text", "text": "Bye"}]),
        ],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\nHello.<|im_end|>"
        "<|im_start|>user\nBye<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|assistant|>\nHello.<|end|>"
        "<|user|>\nBye<|end|><|assistant|>\n",
    ),
    Case(
        "an answer as it came",
        [user("Hi"), AS_IT_CAME, user("Bye")],
        f"{IM_SYSTEM}<|im_start|>user\nHi<|im_end|><|im_start|>assistant\nHello.<|im_end|>"
        "<|im_start|>user\nBye<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nHi<|end|><|assistant|>\nHello.<|end|>"
        "<|user|>\nBye<|end|><|assistant|>\n",
    ),
    Case(
        "image and text",
        [user([image(SQUARE), text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "text and image",
        [user([text("What?"), image(BANNER)])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [9],
    ),
    Case(
        "image alone",
        [user([image(SQUARE)])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\n<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\n<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "image as a string",
        [user([{"type": "image_url", "image_url": SQUARE}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "image part",
        [user([{"type": "image", "image": SQUARE}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "image part with a URL",
        [user([{"type": "image", "url": SQUARE}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "image part in base64",
        [user([{"type": "image", "base64": SQUARE.split(",")[1]}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "image part of Anthropic",
        [user([{"type": "image", "source": ANTHROPIC}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "image part of Anthropic with a URL",
        [user([{"type": "image", "source": {"type": "url", "url": SQUARE}}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "input_image",
        [user([{"type": "input_image", "image_url": SQUARE, "detail": "auto"}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "image that may be cached",
        [user([{**image(SQUARE), "cache_control": {"type": "ephemeral"}}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "image in low detail",
        [user([image(BANNER, detail="low"), text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "images in low and high detail",
        [user([image(BANNER, detail="low"), image(BANNER, detail="high"), text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\nImage-1: <image>\nImage-2: <image>\nWhat?<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nImage-1: <image>\nImage-2: <image>\nWhat?<|end|><|assistant|>\n",
        [1, 9],
    ),
    Case(
        "image of at most four tiles",
        [user([image(BANNER), text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nWhat?<|end|><|assistant|>\n",
        [3],
        {"mm_processor_kwargs": {"max_dynamic_patch": 4}},
    ),
    Case(
        "two images",
        [user([image(SQUARE), image(BANNER), text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\nImage-1: <image>\nImage-2: <image>\nWhat?<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nImage-1: <image>\nImage-2: <image>\nWhat?<|end|><|assistant|>\n",
        [1, 9],
    ),
    Case(
        "images among texts",
        [user([text("This"), image(SQUARE), text("and this"), image(BANNER), text("differ?")])],
        f"{IM_SYSTEM}<|im_start|>user\nThis\nImage-1: <image>\nand this\nImage-2: <image>\n"
        "differ?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nThis\nImage-1: <image>\nand this\nImage-2: <image>\n"
        "differ?<|end|><|assistant|>\n",
        [1, 9],
    ),
    Case(
        "images in the history",
        [user([image(SQUARE), text("A?")]), assistant("R"), user([image(SQUARE), text("B?")])],
        f"{IM_SYSTEM}<|im_start|>user\nImage-1: <image>\nA?<|im_end|>"
        "<|im_start|>assistant\nR<|im_end|>"
        "<|im_start|>user\nImage-2: <image>\nB?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nImage-1: <image>\nA?<|end|><|assistant|>\nR<|end|>"
        "<|user|>\nImage-2: <image>\nB?<|end|><|assistant|>\n",
        [1, 1],
    ),
    Case(
        "one image, asked about again",
        [user([image(SQUARE), text("A?")]), assistant("R"), user("B?")],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nA?<|im_end|><|im_start|>assistant\nR<|im_end|>"
        "<|im_start|>user\nB?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nA?<|end|><|assistant|>\nR<|end|>"
        "<|user|>\nB?<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "video",
        [user([clip(CLIP), text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n{FRAMES}What?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n{FRAMES}What?<|end|><|assistant|>\n",
        [1] * 8,
    ),
    Case(
        "video as a string, of one frame, shown as three",
        [user([{"type": "video_url", "video_url": STILL}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\nFrame1: <image>\nFrame2: <image>\nFrame3: <image>\n"
        "What?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nFrame1: <image>\nFrame2: <image>\nFrame3: <image>\n"
        "What?<|end|><|assistant|>\n",
        [1] * 3,
        {"mm_processor_kwargs": {"num_frames": 3}},
    ),
    Case(
        "videos and images",
        [user([image(BANNER), clip(CLIP), image(SQUARE), clip(STILL), text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\nImage-1: <image>\nFrame1: <image>\nFrame2: <image>\n"
        "Image-2: <image>\nFrame1: <image>\nFrame2: <image>\nWhat?<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nImage-1: <image>\nFrame1: <image>\nFrame2: <image>\n"
        "Image-2: <image>\nFrame1: <image>\nFrame2: <image>\nWhat?<|end|><|assistant|>\n",
        [9, 1, 1, 1, 1, 1],
        {"mm_processor_kwargs": {"num_frames": 2}},
    ),
    Case(
        "frames as a list of pictures",
        [user([image(BANNER), {"type": "video", "video": [BANNER, SQUARE]}, text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nFrame1: <image>\nFrame2: <image>\nWhat?<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nFrame1: <image>\nFrame2: <image>\nWhat?<|end|>"
        "<|assistant|>\n",
        [9, 1, 1],
    ),
    Case(
        "control tokens in a text",
        [system(LETTERS), user(LETTERS), assistant(LETTERS), user([image(SQUARE), text(LETTERS)])],
        f"<|im_start|>system\n{LETTERS}<|im_end|><|im_start|>user\n{LETTERS}<|im_end|>"
        f"<|im_start|>assistant\n{LETTERS}<|im_end|>"
        f"<|im_start|>user\n<image>\n{LETTERS}<|im_end|><|im_start|>assistant\n",
        f"<|system|>\n{LETTERS}<|end|><|user|>\n{LETTERS}<|end|><|assistant|>\n{LETTERS}<|end|>"
        f"<|user|>\n<image>\n{LETTERS}<|end|><|assistant|>\n",
        [1],
    ),
    Case(
        "two images without labels",
        [user([image(SQUARE), image(BANNER), text("What?")])],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\n<image>\nWhat?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\n<image>\nWhat?<|end|><|assistant|>\n",
        [1, 9],
        UNLABELLED,
    ),
    Case(
        "images without labels where they stand",
        [user([text("This "), image(SQUARE), text("and this "), image(BANNER)])],
        f"{IM_SYSTEM}<|im_start|>user\nThis <image>\nand this <image>\n<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nThis <image>\nand this <image>\n<|end|><|assistant|>\n",
        [1, 9],
        UNLABELLED,
    ),
    Case(
        "texts without labels are joined as they are",
        [user([text("a"), text("b"), image(SQUARE)])],
        f"{IM_SYSTEM}<|im_start|>user\nab<image>\n<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nab<image>\n<|end|><|assistant|>\n",
        [1],
        UNLABELLED,
    ),
    Case(
        "images placed by the text",
        [user([image(SQUARE), image(BANNER), text("Image-1: <image>\nImage-2: <image>\nWhat?")])],
        f"{IM_SYSTEM}<|im_start|>user\nImage-1: <image>\nImage-2: <image>\nWhat?<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nImage-1: <image>\nImage-2: <image>\nWhat?<|end|><|assistant|>\n",
        [1, 9],
        UNLABELLED,
    ),
    Case(
        "an image placed amid a text",
        [user([text("What is <image> and "), text("why?"), image(BANNER)])],
        f"{IM_SYSTEM}<|im_start|>user\nWhat is <image> and why?<|im_end|><|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nWhat is <image> and why?<|end|><|assistant|>\n",
        [9],
        UNLABELLED,
    ),
    Case(
        "a video and an image without labels",
        [user([text("Film: "), clip(CLIP), image(SQUARE)])],
        f"{IM_SYSTEM}<|im_start|>user\nFilm: Frame1: <image>\nFrame2: <image>\n<image>\n<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\nFilm: Frame1: <image>\nFrame2: <image>\n<image>\n<|end|>"
        "<|assistant|>\n",
        [1, 1, 1],
        {**UNLABELLED, "mm_processor_kwargs": {"num_frames": 2}},
    ),
    Case(
        "images in the history without labels",
        [
            user([image(SQUARE), text("A?")]),
            assistant("<image>"),
            user([text("B?"), image(SQUARE)]),
        ],
        f"{IM_SYSTEM}<|im_start|>user\n<image>\nA?<|im_end|>"
        "<|im_start|>assistant\n<image><|im_end|>"
        "<|im_start|>user\nB?<image>\n<|im_end|>"
        "<|im_start|>assistant\n",
        f"{PHI_SYSTEM}<|user|>\n<image>\nA?<|end|><|assistant|>\n<image><|end|>"
        "<|user|>\nB?<image>\n<|end|><|assistant|>\n",
        [1, 1],
        UNLABELLED,
    ),
]

HI = user("Hi")
REFUSED: list[tuple[list[Any], str]] = [
    ([system("S")], "messages: there is no user message to answer"),
    (
        [{"role": "tool", "content": "x"}, HI],
        "messages[0]: the model calls no tools, so nothing can be the result of one; leave it out",
    ),
    (
        [{"role": "function", "name": "f", "content": "x"}, HI],
        "messages[0]: the model calls no tools, so nothing can be the result of one; leave it out",
    ),
    (
        [HI, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, HI],
        "messages[1].tool_calls is not supported: the model calls no tools; leave it out",
    ),
    ([{"content": "x"}], "messages[0]: role None is not supported; use system, user or assistant"),
    ([user(7)], "messages[0].content has to be a string or a list of parts"),
    ([user(["Q"])], "messages[0].content[0] has to be an object with a type"),
    ([user([text(None)])], "messages[0].content[0].text has to be a string"),
    (
        [user([text("Q"), {"type": "input_audio"}])],
        "messages[0].content[1]: content of type 'input_audio' is not supported; "
        "use text, image_url or video_url",
    ),
    (
        [user([{"type": "image_url"}])],
        "messages[0].content[0].image_url has to be a URL or an object with one",
    ),
    (
        [user([{"type": "video_url", "video_url": {"url": ""}}])],
        "messages[0].content[0].video_url has to be a URL or an object with one",
    ),
    (
        [user([image("u", detail="huge")])],
        "messages[0].content[0].image_url.detail 'huge' is not one of auto, low, medium, high",
    ),
    (
        [HI, assistant([image("a")])],
        "messages[1].content[0]: an assistant message can hold only text",
    ),
    ([system([image("a")]), HI], "messages[0].content[0]: a system message can hold only text"),
    (
        [{**HI, "name": "Ada"}],
        "messages[0].name is not supported: the prompt format has no names; leave it out",
    ),
    ([{**HI, "weight": 0}], "messages[0].weight is not supported for this model; leave it out"),
    (
        [user([{**text("Q"), "style": "bold"}])],
        "messages[0].content[0].style is not supported for this model; leave it out",
    ),
    (
        [user([{**image("u"), "uuid": "1"}])],
        "messages[0].content[0].uuid is not supported for this model; leave it out",
    ),
    (
        [user([image("u", size="1")])],
        "messages[0].content[0].image_url.size is not supported; "
        "use max_dynamic_patch, min_dynamic_patch or detail",
    ),
    (
        [user([{"type": "input_image", "file_id": "1"}])],
        "messages[0].content[0].file_id is not supported for this model; leave it out",
    ),
    (
        [user([{"type": "image", "image": "u", "url": "v"}])],
        "messages[0].content[0]: image and url are two sources; give only one",
    ),
    (
        [user([{"type": "image", "source": {"type": "file", "file_id": "1"}}])],
        "messages[0].content[0].source.file_id is not supported; "
        "use max_dynamic_patch, min_dynamic_patch or detail",
    ),
    (
        [user([{"type": "image", "image": ["u", "v"]}])],
        "messages[0].content[0].image has to be a URL or an object with one",
    ),
    (
        [user([{"type": "video", "video": []}])],
        "messages[0].content[0].video has 0 frames; give 1 to 64",
    ),
]
