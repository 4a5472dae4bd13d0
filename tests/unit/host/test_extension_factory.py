"""The way to load the plugin that Xinference documents, without a server."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from xinference_internvl2 import __version__
from xinference_internvl2.host import extension_factory, rest_api


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is activated and registered; the catalog of this process stays as it is."""
    found: list[str] = []
    host = SimpleNamespace(register_builtin_model=lambda: found.append("registered"))
    monkeypatch.setitem(sys.modules, extension_factory.HOST_MODULE, host)  # type: ignore[arg-type]
    monkeypatch.setattr(rest_api, "activate", lambda: found.append("rest_api"))
    monkeypatch.setattr(extension_factory, "activate", lambda: True)
    return found


def test_a_catalog_that_is_complete_is_made_again(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, rest_api.HOST_MODULE, raising=False)
    assert extension_factory.create().name == "xinference-internvl2"
    assert calls == ["registered"]


def test_a_catalog_that_has_the_plugin_already_is_left(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, rest_api.HOST_MODULE, raising=False)
    monkeypatch.setattr(extension_factory, "activate", lambda: False)
    extension_factory.create()
    assert calls == []


def test_the_routes_are_changed_before_they_are_taken(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, rest_api.HOST_MODULE, sys)
    made = extension_factory.create()
    assert calls == ["registered", "rest_api"]
    made.configure_api(None)
    assert calls == ["registered", "rest_api", "rest_api"]


def test_what_a_worker_tells_of_itself() -> None:
    made = extension_factory.Extension()
    assert made.api_version == 1
    assert made.worker_metadata() == {
        "version": __version__,
        "model_families": ["InternVL2.5", "InternVL2.5-MPO", "internvl-chat", "internvl2"],
    }
    assert made.filter_worker_resources({"gpu_devices": (0, 3)}, []) == [0, 3]
    with pytest.raises(ValueError, match=r"xinference-internvl2 has no operation 'stop'"):
        made.control_operation("stop", {})
