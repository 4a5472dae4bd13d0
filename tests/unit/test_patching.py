"""A function of somebody else is replaced once, and its absence is logged once."""

from __future__ import annotations

import inspect
import logging
from types import ModuleType
from typing import Any

import pytest

from xinference_internvl2.patching import patch


class Api:
    def greet(self, name: str) -> str:
        """Say hello."""
        return f"hello {name}"

    @staticmethod
    def add(one: int, two: int) -> int:
        return one + two

    @classmethod
    def title(cls) -> str:
        return cls.__name__


@pytest.fixture
def api() -> Any:
    return type("Api", (), dict(vars(Api)))


def louder(function: Any) -> Any:
    def replacement(*args: Any, **kwargs: Any) -> str:
        return f"{function(*args, **kwargs)}!"

    return replacement


def extend(owner: Any, name: str) -> bool:
    return patch(owner, name, louder, without="nothing is louder")


@pytest.mark.parametrize(
    ("name", "args", "answer"),
    [("greet", ("you",), "hello you!"), ("add", (1, 2), "3!"), ("title", (), "Api!")],
)
def test_methods_of_every_kind_are_replaced(
    api: Any, name: str, args: tuple[Any, ...], answer: str
) -> None:
    assert extend(api, name) is True
    assert getattr(api(), name)(*args) == answer
    if name != "greet":
        assert getattr(api, name)(*args) == answer


def test_a_second_call_changes_nothing(api: Any) -> None:
    extend(api, "greet")
    replaced = api.greet
    assert extend(api, "greet") is False
    assert api.greet is replaced
    assert api().greet("you") == "hello you!"


def test_a_function_that_two_modules_share_is_extended_once() -> None:
    one, two = ModuleType("one"), ModuleType("two")
    one.greet = two.greet = lambda: "hello"  # type: ignore[attr-defined]
    extend(one, "greet")
    two.greet = one.greet  # type: ignore[attr-defined]
    assert extend(two, "greet") is False
    assert two.greet() == "hello!"


def test_the_replacement_looks_like_what_it_replaces(api: Any) -> None:
    extend(api, "greet")
    assert api.greet.__doc__ == "Say hello."
    assert list(inspect.signature(api.greet).parameters) == ["self", "name"]


@pytest.mark.parametrize("value", [None, "text"])
def test_what_is_no_function_is_left_and_logged_once(
    caplog: pytest.LogCaptureFixture, value: Any
) -> None:
    module = ModuleType(f"lacking_{value}")
    if value is not None:
        module.read = value  # type: ignore[attr-defined]
    for _ in range(2):
        assert extend(module, "read") is False
    assert getattr(module, "read", None) == value
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == f"There is no {module.__name__}.read, so nothing is louder."


def test_a_class_is_named_with_its_module(caplog: pytest.LogCaptureFixture) -> None:
    extend(Api, "absent")
    assert caplog.messages == [f"There is no {__name__}.Api.absent, so nothing is louder."]
