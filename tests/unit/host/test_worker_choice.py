"""Launches in a cluster of which some workers lack the plugin."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from xinference_internvl2.host import worker_choice

OURS = SimpleNamespace(model_name="internvl2", model_family="internvl2")
CUSTOM = SimpleNamespace(model_name="mine", model_family="internvl2")
OTHER = SimpleNamespace(model_name="other", model_family="other")


class Worker:
    def __init__(self, family: Any) -> None:
        self.family = family

    async def get_model_registration(self, model_type: str, name: str) -> Any:
        if isinstance(self.family, Exception):
            raise self.family
        return self.family if self.family and self.family.model_name == name else None


class Supervisor:
    """Stands for the host's actor, as far as a launch asks it."""

    def __init__(self, *families: Any, local: bool = False) -> None:
        self.local = local
        self._worker_address_to_worker = {
            f"127.0.0.1:{number}": Worker(family) for number, family in enumerate(families)
        }

    def is_local_deployment(self) -> bool:
        return self.local

    def _resolve_worker_addresses(self, where: Any) -> list[str]:
        return [where] if isinstance(where, str) else list(where)

    async def launch(
        self, uid: str, model_name: str, n_worker: int = 1, worker_ip: Any = None
    ) -> Any:
        return worker_ip

    def asked(self, name: str, **options: Any) -> Any:
        """The workers that the host is asked to launch on."""
        launch = worker_choice._choose_workers(Supervisor.launch)
        return asyncio.run(launch(self, "uid", name, **options))


FIRST, SECOND = "127.0.0.1:0", "127.0.0.1:1"


def test_workers_without_the_plugin_are_left_out() -> None:
    assert Supervisor(OURS, None).asked("internvl2") == [FIRST]
    assert Supervisor(None, CUSTOM).asked("mine") == [SECOND]
    assert Supervisor(OURS, ConnectionError()).asked("internvl2") == [FIRST]


@pytest.mark.parametrize(
    ("families", "name"),
    [((OURS, OURS), "internvl2"), ((OTHER, OTHER), "other"), ((OTHER, None), "other")],
)
def test_other_launches_are_the_hosts_own(families: Any, name: str) -> None:
    assert Supervisor(*families).asked(name) is None
    assert Supervisor(*families).asked(name, worker_ip=FIRST) == FIRST
    assert Supervisor(None, local=True).asked("internvl2") is None


@pytest.mark.parametrize(
    ("families", "options", "lacking"),
    [
        ((None,), {}, FIRST),
        ((None, None), {}, f"{FIRST}, {SECOND}"),
        ((OURS, None), {"worker_ip": SECOND}, SECOND),
        ((OURS, None), {"n_worker": 2}, SECOND),
    ],
)
def test_too_few_workers_are_named(families: Any, options: Any, lacking: str) -> None:
    needed = options.get("n_worker", 1)
    with pytest.raises(ValueError, match=f"on {needed} workers, and the workers {lacking} lack it"):
        Supervisor(*families).asked("internvl2", **options)
