"""`make load` fails on what is wrong, and only on that."""

from __future__ import annotations

import pytest

from tests.tools.load_clients import Result, classify_failure, print_report

RIGHT = Result("right", "shapes", 1.0, 0.5)


@pytest.mark.parametrize(
    ("results", "sound"),
    [
        ([RIGHT], True),
        ([RIGHT, Result("refused", "shapes"), Result("warded off", "thin")], True),
        ([RIGHT, Result("wrong", "shapes", reason="a cat")], False),
        ([RIGHT, Result("failed", "shapes", reason="500")], False),
        ([Result("refused", "shapes")], False),
        ([], False),
    ],
)
def test_what_is_sound(
    results: list[Result], sound: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_report(results) is sound
    counted = sum(result.outcome == "right" for result in results)
    assert f"{counted} right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "text", "outcome"),
    [
        (429, "come again", "refused"),
        (503, "come again", "refused"),
        (503, "no Retry-After: come again", "failed"),
        (500, "oh", "failed"),
        (400, "a right question is none of the client's faults", "failed"),
    ],
)
def test_what_counts_as_refused(status: int, text: str, outcome: str) -> None:
    assert classify_failure("shapes", status, text).outcome == outcome
