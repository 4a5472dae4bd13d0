"""Adds our families and loader classes to the host's catalog; `activate()` is the only entry."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from .. import __version__
from .._autoload import HOST_MODULE
from ..families import records, withdrawn
from ..log_once import log_once
from ..patching import patch
from . import engine_query, launch_guard, spec_choice
from .request_log import log_refusals_once
from .version_check import TESTED_HOSTS, read_host_version, warn_if_untested

PATCH_POINT = "load_model_family_from_json"

logger = logging.getLogger(__package__)


class Loader(NamedTuple):
    """A loader class of ours, by name, and the class of the host before which it is inserted."""

    engine: str
    module: str
    name: str
    before: str


LOADERS = (
    Loader(
        engine="Transformers",
        module="xinference_internvl2.transformers.host_model",
        name="InternVL2TransformersModel",
        before="InternVLChatModel",
    ),
    Loader(
        engine="vLLM",
        module="xinference_internvl2.vllm.host_model",
        name="InternVL2VLLMModel",
        before="VLLMMultiModel",
    ),
)


def activate() -> bool:
    """Extend the catalog of this process; True if this call was the one that did."""
    host = importlib.import_module(HOST_MODULE)
    warn_if_untested()
    added = patch(
        host,
        PATCH_POINT,
        functools.partial(_read_ours_after, host),
        without=f"xinference-internvl2 {__version__} cannot add its model families; use xinference"
        f" {TESTED_HOSTS[-1]}",
    )
    if added:
        launch_guard.guard_launches(host.llm_family)
        spec_choice.choose_unquantized(host.llm_family)
        engine_query.add_reasons()
        log_refusals_once()
    return added


def _read_ours_after(host: ModuleType, load: Callable[..., None]) -> Callable[..., None]:
    """Let the host's catalog reader read our families after the host's own.

    The host calls it at its start, and at every refresh of the catalog.
    """

    def load_model_family_from_json(
        json_filename: str, target_families: list[Any], *args: Any, **kwargs: Any
    ) -> None:
        load(json_filename, target_families, *args, **kwargs)
        try:
            if os.path.isabs(json_filename):
                _yield_to_newer(json_filename, target_families)
            else:
                _add_families(functools.partial(load, *args, **kwargs), target_families)
                _add_loaders(host)
        except Exception:
            logger.exception(
                "xinference-internvl2 %s could not add its model families to xinference %s, which"
                " goes on without them; report this with the cause that follows.",
                __version__,
                read_host_version(),
            )

    return load_model_family_from_json


def _add_families(read: Callable[[str, list[Any]], None], families: list[Any]) -> None:
    from .family_record import PluginFamily

    withdrawn.restore()
    of_host = {family.model_name for family in families if not isinstance(family, PluginFamily)}
    present = {family.model_name for family in families} - of_host
    for name in records.load_runtimes():
        if name in of_host:
            _step_back(name, f"xinference {read_host_version()} has a model family of its own")
        elif name not in present:
            found: list[Any] = []
            # The host refuses a catalog behind a symbolic link, as some installers make them.
            read(os.path.realpath(records.FAMILIES / f"{name}.json"), found)
            families.extend(PluginFamily.adopt(family) for family in found)


def _yield_to_newer(catalog: str, families: list[Any]) -> None:
    """Step back where a downloaded catalog wins: the host keeps the newest record of a name."""
    for family in families:
        name = family.model_name
        if name in records.load_runtimes() and getattr(family, "updated_at", 0) > _updated_at(name):
            _step_back(name, f"the downloaded catalog {catalog} has a newer record")


def _updated_at(name: str) -> int:
    return int(records.read_registration(name)["updated_at"])


def _step_back(name: str, reason: str) -> None:
    withdrawn.withdraw(name)
    log_once(
        logging.WARNING,
        f"xinference-internvl2 {__version__} leaves {name} to Xinference, because {reason};"
        " uninstall the plugin, or remove that record to be served by the plugin.",
    )


def _add_loaders(host: ModuleType) -> None:
    from xinference.model.llm.transformers.core import NON_DEFAULT_MODEL_LIST

    from .family_record import ARCHITECTURE

    # Families with an architecture in this list are not for the host's general Transformers loader.
    if ARCHITECTURE not in NON_DEFAULT_MODEL_LIST:
        NON_DEFAULT_MODEL_LIST.append(ARCHITECTURE)
    for loader in LOADERS:
        found = import_loader(loader)
        classes = host.SUPPORTED_ENGINES.get(loader.engine, [])
        if found is None or found in classes:
            continue
        names = [known.__name__ for known in classes]
        # The host takes the first class that matches; if none does, the first of all.
        at = names.index(loader.before) if loader.before in names else len(classes)
        classes.insert(at, found)


@functools.cache
def import_loader(loader: Loader) -> type | None:
    """Import a loader class of ours; None if that fails, with one error in the log."""
    module = sys.modules.get(loader.module)
    if module is not None and not hasattr(module, loader.name):
        # A process for one model begins with our loader, whose import of the host has led here
        # before the class is there. Nothing is launched from that process.
        return None
    try:
        found: type = getattr(importlib.import_module(loader.module), loader.name)
    except Exception as error:
        logger.error(
            "xinference-internvl2 %s cannot serve its families on %s, because %s.%s could not be"
            " imported (%s: %s); install what is missing, or use another engine.",
            *(__version__, loader.engine, loader.module, loader.name),
            *(type(error).__name__, error),
        )
        return None
    return found
