"""Imports our loader class of each engine, and puts it before the host's own classes.

An engine that cannot be imported is logged, and the others work.
"""

from __future__ import annotations

import functools
import importlib
import logging
import sys
from types import ModuleType
from typing import NamedTuple

from .. import __version__

ARCHITECTURE = "XinferenceInternVL2"
"""That of our families: the host matches loaders by it, and none of its own knows it."""

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


def add_loaders(host: ModuleType) -> None:
    """Insert our loader classes, as far as they can be imported, before those of the host."""
    from xinference.model.llm.transformers.core import NON_DEFAULT_MODEL_LIST

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
