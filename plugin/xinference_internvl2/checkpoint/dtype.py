"""The numeric type of a checkpoint's weights, for launches that name none, on both engines."""

from __future__ import annotations

from .typed_fields import Section

DTYPES = ("bfloat16", "float16", "float32")
DTYPE_FIELDS = ("dtype", "torch_dtype")
"""transformers calls `torch_dtype` `dtype` since 4.56."""


def read_dtype(top: Section) -> str:
    """Return the type of the weights that `config.json` names, or bfloat16 if it names none."""
    for section in (top, top.section("llm_config")):
        names = [name for name in DTYPE_FIELDS if section.get(name) is not None]
        found = {section.choice(name, DTYPES) for name in names}
        if len(found) > 1:
            raise section.refuse("torch_dtype", "what dtype says; keep the right one of the two")
        if found:
            return found.pop()
    return "bfloat16"
