"""How the text of an error of others is shown."""

from __future__ import annotations

import pydantic
import pytest

from xinference_internvl2.errors import RequestError
from xinference_internvl2.host.error_message import clean_message, describe_invalid


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("[address=127.0.0.1:40001, pid=12] n 3 is too much", "n 3 is too much"),
        ("[address=[::1]:40001, pid=12] n [3] is too much", "n [3] is too much"),
        ("[address=unixsocket:///7, pid=12] [address=unixsocket:///8, pid=3] n", "n"),
        ("n [3] is\n  too much", "n [3] is too much"),
    ],
)
def test_a_message_is_one_line_without_an_address(message: str, shown: str) -> None:
    assert clean_message(message) == shown


def test_a_message_that_a_client_has_filled_with_addresses_is_soon_read() -> None:
    """Without the bounds this takes hours, in the event loop that answers all requests."""
    assert len(clean_message("[address=]," * 1_000_000)) < 1_000


def test_the_message_of_a_wrapped_error_is_that_of_its_model() -> None:
    error = RequestError("[address=127.0.0.1:1, pid=2] hidden")
    error.__wrapped__ = RequestError("n 3 is too much")  # type: ignore[attr-defined]
    assert clean_message(error) == "n 3 is too much"


def test_an_invalid_body_is_told_by_its_first_field() -> None:
    model = pydantic.create_model("Body", messages=(list[int], ...))
    with pytest.raises(pydantic.ValidationError) as caught:
        model(messages=[1, "two"])
    assert describe_invalid(caught.value).startswith("messages.1: ")
