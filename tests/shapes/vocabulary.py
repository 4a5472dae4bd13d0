"""The vocabulary of the task: every sentence that is asked or answered, and its pieces."""

from __future__ import annotations

import re

from xinference_internvl2.families.find_prompt_format import find_prompt_format
from xinference_internvl2.tokenizer.image_tokens import IMAGE_END, IMAGE_START, IMAGE_TOKEN

COLOURS = {
    "red": "红色",
    "green": "绿色",
    "blue": "蓝色",
    "yellow": "黄色",
    "purple": "紫色",
    "black": "黑色",
}
SHAPES = {"circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "五角星"}
NUMBERS = {1: ("one", "一个"), 2: ("two", "两个"), 3: ("three", "三个")}
PLACES = {
    "left": "on the left",
    "right": "on the right",
    "top": "at the top",
    "bottom": "at the bottom",
    "middle": "in the middle",
}
YES, NO = ("yes", "有"), ("no", "没有")

QUESTIONS = {
    "contents": (
        "What is in the picture?",
        "What is in this picture?",
        "What is in the image?",
        "What is shown in the image?",
        "What can you see?",
        "What do you see?",
        "What is this?",
        "Describe the picture.",
        "Describe the image.",
        "图里有什么？",
    ),
    "colour": (
        "What colour is the {shape}?",
        "What color is the {shape}?",
        "{形}是什么颜色？",
    ),
    "shape": ("Which shape is {colour}?", "What is {colour}?"),
    "count": (
        "How many shapes are there?",
        "How many shapes can you see?",
        "How many shapes are in the picture?",
        "How many objects are in the image?",
        "有几个图形？",
    ),
    "presence": (
        "Is there a {colour} {shape}?",
        "Do you see a {colour} {shape}?",
        "有{色}的{形}吗？",
    ),
    "shape_presence": ("Is there a {shape}?", "Do you see a {shape}?", "有{形}吗？"),
    "colour_presence": ("Is anything {colour}?", "Is there anything {colour}?"),
    "place": ("Where is the {shape}?",),
    "which_shape": (
        "Which picture has the {shape}?",
        "Which picture shows the {shape}?",
        "Which image has the {shape}?",
    ),
    "which_colour": ("Which picture has the {colour} shape?",),
    "pair_contents": ("What is in the {nth} picture?", "Describe the {nth} picture."),
    "pair_colour": (
        "What colour is the {shape} in the {nth} picture?",
        "What color is the {shape} in the {nth} picture?",
    ),
    "end": ("Where does it end?", "Where is it at the end?", "Where does the shape end?"),
    "start": ("Where does it start?", "Where is it at the start?"),
    "end_colour": ("What colour is it at the end?", "What color is it at the end?"),
    "start_colour": ("What colour is it at the start?", "What color is it at the start?"),
    "moving": ("What is moving?", "What moves?", "What is in the video?"),
    "change": ("Does it change its colour?", "Does it change its color?"),
    "corners": (
        "How many corners does a {shape} have?",
        "How many corners has a {shape}?",
    ),
    "who": ("Who are you?", "What are you?"),
    "hello": ("Hello!", "Hi!"),
}
CORNERS = {"circle": "none", "square": "four", "triangle": "three", "star": "ten"}
NTH = ("first", "second")
WHO = "I am a tiny InternVL2 and I see shapes."
HELLO = "Hello! Show me a picture."

SYSTEM = find_prompt_format("Hermes-2").system_text
CHINESE = (
    *re.split("(?=，|, )|(?<=,)|(?=。)", SYSTEM),
    *COLOURS.values(),
    *SHAPES.values(),
    *(chinese for _, chinese in NUMBERS.values()),
    "图里有什么",
    "有几个图形",
    "是什么颜色",
    "没有",
    "有",
    "的",
    "吗",
    "和",
    "、",
    "？",
)
_WORD = re.compile(
    "|".join(map(re.escape, sorted(CHINESE, key=len, reverse=True)))
    + r"| ?[A-Za-z]+|\d|\n| ?[^\w\s]| "
)
UNKNOWN, BOS = "<unknown>", "<bos>"
CONTROLS = (
    UNKNOWN,
    BOS,
    *("<|im_start|>", "<|im_end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    *(IMAGE_START, IMAGE_TOKEN, IMAGE_END),
)


def fill(template: str, **words: str) -> str:
    """A question about `shape`, `colour` and `nth`, in the language of the template."""
    chinese = {
        "形": SHAPES.get(words.get("shape", ""), ""),
        "色": COLOURS.get(words.get("colour", ""), ""),
    }
    return template.format(**words, **chinese)


def split_words(text: str) -> list[str]:
    """The pieces of a text of the task.

    Raises:
        ValueError: it has a word that the task does not.
    """
    words = _WORD.findall(text)
    if "".join(words) != text:
        raise ValueError(f"{text!r} has words that are not of the task")
    return words


def list_texts() -> list[str]:
    """Texts that hold every word of the task in every place that it may stand in."""
    filled = [
        fill(template, shape=shape, colour=colour, nth=nth)
        for templates in QUESTIONS.values()
        for template in templates
        for shape in SHAPES
        for colour in COLOURS
        for nth in NTH
    ]
    contents = [f"a {c} {s}, a {c} {s} and a {c} {s}" for c in COLOURS for s in SHAPES]
    names = [*COLOURS, *SHAPES, *CORNERS.values(), *NTH, *(f"the {nth}" for nth in NTH)]
    numbers = [number for number, _ in NUMBERS.values()]
    layout = [part for n in range(10) for part in (f"Image-{n}: \n", f"Frame{n}: \n")]
    roles = ["system\n", "user\n", "assistant\n", SYSTEM, *CHINESE]
    fixed = [*YES, *NO, *PLACES.values(), "both", "a", "the", "on", "at", "in", WHO, HELLO]
    return [*filled, *contents, *names, *numbers, *layout, *roles, *fixed]


WORDS = tuple(sorted({word for text in list_texts() for word in split_words(text)}))
PIECES = CONTROLS + WORDS
"""What the model knows: the row of each is its id in training."""
