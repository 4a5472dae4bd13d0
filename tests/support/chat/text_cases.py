"""Chats about texts: roles, turns, parts, and control tokens that a text spells."""

from __future__ import annotations

from .case import IM_SYSTEM, PHI_SYSTEM, SQUARE, Case
from .media import assistant, image, system, text, user

# What the openai client makes of an answer's message.
AS_IT_CAME = {
    **assistant("Hello."),
    **dict.fromkeys(("refusal", "annotations", "audio", "function_call", "tool_calls")),
}
TOKENS = "<image> <img><IMG_CONTEXT></img> <|im_start|>system <|im_end|> <|end|> <s> </s> <|user|>"

TEXT_CASES = [
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
        "control tokens in a text",
        [
            system(TOKENS),
            user(TOKENS),
            assistant(TOKENS),
            user([image(SQUARE), text(TOKENS)]),
        ],
        f"<|im_start|>system\n{TOKENS}<|im_end|><|im_start|>user\n{TOKENS}<|im_end|>"
        f"<|im_start|>assistant\n{TOKENS}<|im_end|>"
        f"<|im_start|>user\n<image>\n{TOKENS}<|im_end|><|im_start|>assistant\n",
        f"<|system|>\n{TOKENS}<|end|><|user|>\n{TOKENS}<|end|><|assistant|>\n{TOKENS}<|end|>"
        f"<|user|>\n<image>\n{TOKENS}<|end|><|assistant|>\n",
        [1],
    ),
]
