"""The wording of an error is bounded, and its names are told once."""

from __future__ import annotations

from xinference_internvl2.errors import join_names, one_sentence


def test_of_a_message_without_end_only_the_beginning_is_read() -> None:
    most = 1 << 16
    assert one_sentence("x" * (most - 1) + "y").endswith("xy")
    assert one_sentence("x" * most + "y").endswith("xx")


def test_names_are_told_once_and_in_their_order() -> None:
    assert join_names(["b", "a", "b"]) == "b, a"
    assert join_names([]) == "nothing"
