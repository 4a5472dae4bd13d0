"""Chats whose pictures have no labels and stand where they were sent, or where a text says."""

from __future__ import annotations

from .case import BANNER, CLIP, IM_SYSTEM, PHI_SYSTEM, SQUARE, Case
from .media import assistant, clip, image, text, user

UNLABELLED = {"chat_template_kwargs": {"image_labels": False}}

UNLABELLED_CASES = [
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
