"""Chats with pictures and videos, numbered by labels where there are several."""

from __future__ import annotations

from .case import ANTHROPIC, BANNER, CLIP, IM_SYSTEM, PHI_SYSTEM, SQUARE, STILL, Case
from .media import assistant, clip, image, text, user

FRAMES = "".join(f"Frame{number}: <image>\n" for number in range(1, 9))

PICTURE_CASES = [
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
]
