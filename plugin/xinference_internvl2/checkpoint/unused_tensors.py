"""Knows the stale buffers that older tools wrote beside the weights, which no model needs."""

from __future__ import annotations

import re

_UNUSED = re.compile(
    r"\.rotary_(pos_)?emb\.(inv_freq|cos_cached|sin_cached)$"
    r"|^vision_model\.embeddings\.position_ids$"
)
"""Buffers that older tools wrote: they are computed from the configuration."""


def is_unused(name: str) -> bool:
    """Whether no model needs the tensor `name`."""
    return _UNUSED.search(name) is not None
