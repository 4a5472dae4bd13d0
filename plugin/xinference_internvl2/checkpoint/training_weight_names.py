"""The names under which training tools save the weights of a checkpoint, and the published ones."""

from __future__ import annotations

import re

_WRAPPER = re.compile(r"^(language_model|vision_model)\.base_model\.model\.")


def published_name(name: str) -> str:
    """Return the published name of a weight, without what peft's wrapping added to it."""
    name = _WRAPPER.sub(r"\1.", name)
    return name.replace(".base_layer.", ".")
