"""Serve the InternVL2 model family with an unmodified xinference.

Importing this package loads neither xinference nor an engine. Xinference loads the plugin through
the import hook in `_autoload`, or through `host.extension_factory`. The functions below are
imported at their first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .chat.build_prompt import render
    from .confidence import field_probabilities
    from .media.pixel_values import image_to_tiles
    from .tokenizer.tokenizer import load_tokenizer
    from .transformers.model.from_checkpoint import load_model

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "field_probabilities",
    "image_to_tiles",
    "load_model",
    "load_tokenizer",
    "render",
]

_MODULES = {
    "load_model": ".transformers.model.from_checkpoint",
    "load_tokenizer": ".tokenizer.tokenizer",
    "image_to_tiles": ".media.pixel_values",
    "render": ".chat.build_prompt",
    "field_probabilities": ".confidence",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name], __name__), name)
