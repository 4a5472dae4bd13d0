"""Which added tokens are control tokens, and which a fine-tune's."""

from __future__ import annotations

import pytest

from xinference_internvl2.tokenizer.token_kinds import find_fine_tuned, is_control, is_control_piece


@pytest.mark.parametrize(
    ("content", "special", "control"),
    [("[STAR]", False, False), ("[STAR]", True, True), ("<|im_end|>", False, True)],
)
def test_a_published_control_token_is_one_whatever_a_file_says(
    content: str, special: bool, control: bool
) -> None:
    assert is_control(content, special) is control


@pytest.mark.parametrize(
    ("name", "first", "last"), [("reserved_special_token_", 0, 250), ("placeholder", 1, 6)]
)
def test_numbered_control_tokens(name: str, first: int, last: int) -> None:
    for number in (first, last):
        assert is_control(f"<|{name}{number}|>", False)
    for number in (first - 1, last + 1):
        assert not is_control(f"<|{name}{number}|>", False)


@pytest.mark.parametrize(("text", "control"), [("<a>", True), ("<>", False), ("a<b>", False)])
def test_the_look_of_a_piece(text: str, control: bool) -> None:
    assert is_control_piece(text) is control


def test_neither_a_published_token_nor_one_with_a_role_is_a_fine_tunes() -> None:
    assert find_fine_tuned(["[STAR]", "<|im_end|>", "[PAD]"], ["[PAD]"]) == {"[STAR]"}
