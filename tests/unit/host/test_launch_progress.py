"""The progress of loading reaches the host's own tracker, and cannot keep a model from loading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from xinference.core.progress_tracker import ProgressTrackerActor

from xinference_internvl2.host.launch_progress import _report_loading

LAUNCH = "launching-model-0"


class Tracker:
    """The host's tracker as a reference to it, without the actor system."""

    def __init__(self) -> None:
        self.actor = ProgressTrackerActor.__new__(ProgressTrackerActor)
        self.actor._request_id_to_progress = {}

    async def set_progress(self, *arguments: Any) -> None:
        self.actor.set_progress(*arguments)


class Loader:
    """A model that loads in two steps."""

    report: Callable[[float, str], None] | None = None

    def set_progress_listener(self, listener: Any) -> None:
        self.report = listener

    def load(self, seen: Callable[[], Any]) -> list[Any]:
        steps = []
        for done, stage in ((0.5, "Reading weights"), (1.0, "Ready")):
            if self.report:
                self.report(done, stage)
            steps.append(seen())
        return steps


class Actor:
    """The host's actor of a model, as far as it is used."""

    _replica_model_uid = "model-0"

    def __init__(self, model: Any, tracker: Tracker | None) -> None:
        self._model, self.tracker = model, tracker

    async def _get_progress_tracker_ref(self) -> Tracker:
        if self.tracker is None:
            raise ConnectionError("no supervisor")
        return self.tracker

    async def load(self, seen: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(self._model.load, seen)


def load(actor: Actor, seen: Callable[[], Any]) -> Any:
    return asyncio.run(_report_loading(lambda actor: actor.load(seen))(actor))


def test_progress_reaches_the_tracker_step_by_step() -> None:
    tracker = Tracker()
    tracker.actor.start(LAUNCH)
    steps = load(Actor(Loader(), tracker), lambda: tracker.actor.get_progress_info(LAUNCH))
    assert steps == [(pytest.approx(0.91), "Reading weights"), (pytest.approx(1.0), "Ready")]


def test_a_launch_that_nobody_tracks_is_loaded_all_the_same() -> None:
    assert load(Actor(Loader(), Tracker()), lambda: 1) == [1, 1]
    assert load(Actor(Loader(), None), lambda: 1) == [1, 1]


def test_a_model_of_the_host_is_left_alone() -> None:
    class Other:
        def load(self, seen: Callable[[], Any]) -> str:
            return "loaded"

    assert load(Actor(Other(), None), lambda: 1) == "loaded"
