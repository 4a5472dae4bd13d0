"""Adds our families to the host's catalog, at every refresh anew, unless it has its own."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .. import __version__
from ..families import records, withdrawn
from ..log_once import log_once
from ..patching import patch
from . import loader_classes
from .version_check import TESTED_HOSTS, read_host_version

PATCH_POINT = "load_model_family_from_json"

logger = logging.getLogger(__package__)


def extend_catalog(host: ModuleType) -> bool:
    """Extend the catalog of this process; True if this call was the one that did."""
    return patch(
        host,
        PATCH_POINT,
        functools.partial(_read_ours_after, host),
        without=f"xinference-internvl2 {__version__} cannot add its model families; use xinference"
        f" {TESTED_HOSTS[-1]}",
    )


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
                loader_classes.add_loaders(host)
        except Exception:
            logger.exception(
                "xinference-internvl2 %s could not add its model families to xinference %s, which"
                " goes on without them; report this with the cause that follows.",
                __version__,
                read_host_version(),
            )

    return load_model_family_from_json


def _add_families(read: Callable[[str, list[Any]], None], families: list[Any]) -> None:
    from .no_remote_code import FamilyWithoutRemoteCode

    withdrawn.restore()
    of_host = {f.model_name for f in families if not isinstance(f, FamilyWithoutRemoteCode)}
    present = {family.model_name for family in families} - of_host
    for name in records.load_runtimes():
        if name in of_host:
            _step_back(name, f"xinference {read_host_version()} has a model family of its own")
        elif name not in present:
            found: list[Any] = []
            # The host refuses a catalog behind a symbolic link, as some installers make them.
            read(os.path.realpath(records.FAMILIES / f"{name}.json"), found)
            families.extend(map(_adopt, found))


def _adopt(family: Any) -> Any:
    """Return a family record of the host as one of ours, which only our loaders match."""
    from .no_remote_code import FamilyWithoutRemoteCode

    adopted = FamilyWithoutRemoteCode.parse_obj(family.dict())
    adopted.architectures = [loader_classes.ARCHITECTURE]
    return adopted


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
