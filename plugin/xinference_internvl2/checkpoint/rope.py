"""Reads the rotary position embedding (RoPE) of `config.json`, and the longest text for it.

transformers before 5 writes `rope_theta` and `rope_scaling`, later ones `rope_parameters`, which
holds both. `read_rope` returns the later form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .typed_fields import Section

Rope = Mapping[str, Any]

MAX_POSITIONS = 1 << 24
_RENAMED_KINDS = {"su": "longrope"}
"""Older name of a kind → today's."""
_NEUTRAL = {"partial_rotary_factor": 1, "attention_factor": None}
"""Field → the only value that is accepted, with which it changes nothing."""
_ORIGINAL_LENGTH = 4096
"""The class default of Phi-3, for files without the field."""
_FIELDS = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "longrope": ("short_factor", "long_factor", "factor", "original_max_position_embeddings"),
}
"""Kind → the fields that it is read with."""


def read_rope(llm: Section, head_size: int, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return the RoPE parameters of a language model in the form of transformers 5.

    Args:
        llm: `llm_config`, which may have both forms if they agree.
        head_size: of the language model, in features.
        kinds: those that the language model knows.

    Raises:
        CheckpointError: a field is wrong or unknown, or two fields contradict each other.
    """
    theta = llm.number("rope_theta", 10000.0)
    forms = {
        name: _read_form(llm, name, theta, head_size, kinds)
        for name in ("rope_parameters", "rope_scaling")
        if llm.get(name) is not None
    }
    if not forms:
        return {"rope_type": "default", "rope_theta": theta}
    first, *others = forms.values()
    said = llm.get("rope_theta")
    if others and others[0] != first:
        raise llm.refuse("rope_scaling", "what rope_parameters says; keep the right one of the two")
    if said is not None and first["rope_theta"] != theta:
        raise llm.refuse("rope_theta", "what rope_parameters says; keep the right one of the two")
    return first


def _read_form(
    llm: Section, name: str, theta: float, head_size: int, kinds: tuple[str, ...]
) -> dict[str, Any]:
    form = llm.section(name)
    kind = _read_kind(form, kinds)
    known = {"type", "rope_type", "rope_theta", *_NEUTRAL, *_FIELDS[kind]}
    for key in form.values:
        if key not in known:
            raise form.refuse(key, f"left out: it is no field of {kind}")
    for key, neutral in _NEUTRAL.items():
        if form.get(key, neutral) != neutral:
            raise form.refuse(key, f"{neutral or 'left out'}, which is all that is known here")
    rope: dict[str, Any] = {"rope_type": kind, "rope_theta": form.number("rope_theta", theta)}
    if kind in ("dynamic", "linear"):
        rope["factor"] = form.number("factor")
    return rope | (_read_longrope(llm, form, head_size) if kind == "longrope" else {})


def _read_kind(form: Section, kinds: tuple[str, ...]) -> str:
    said = [form.get(key) for key in ("rope_type", "type") if form.get(key) is not None]
    if any(not isinstance(kind, str) for kind in said):
        raise form.refuse("type" if form.get("rope_type") is None else "rope_type", "a text")
    found = {_RENAMED_KINDS.get(kind, kind) for kind in said} or {"default"}
    for key in ("rope_type", "type"):
        kind = form.get(key)
        if kind is not None and _RENAMED_KINDS.get(kind, kind) not in kinds:
            raise form.refuse(key, " or ".join(kinds))
    if len(found) > 1:
        raise form.refuse("type", "what rope_type says; keep the right one of the two")
    return str(found.pop())


def _read_longrope(llm: Section, form: Section, head_size: int) -> dict[str, Any]:
    original = _read_original_length(llm, form)
    stretched = llm.integer("max_position_embeddings", 1, MAX_POSITIONS) / original
    if form.get("factor") is not None and not math.isclose(form.number("factor"), stretched):
        raise form.refuse(
            "factor", f"{stretched}, max_position_embeddings / original_max_position_embeddings"
        )
    return {
        "original_max_position_embeddings": original,
        **{name: _read_factors(form, name, head_size) for name in ("short_factor", "long_factor")},
    }


def _read_original_length(llm: Section, form: Section) -> int:
    """Return the length of texts in training, from the RoPE parameters or from `llm_config`."""
    key = "original_max_position_embeddings"
    places = [section for section in (form, llm) if section.get(key) is not None]
    # The attention is scaled by the inverse of its logarithm, so 1 would divide by zero.
    found = [section.integer(key, 2, MAX_POSITIONS) for section in places] or [_ORIGINAL_LENGTH]
    if len({*found}) > 1:
        raise form.refuse(key, f"{found[-1]}, as llm_config says beside it; keep the right one")
    return found[0]


def _read_factors(form: Section, name: str, head_size: int) -> list[float]:
    values = form.get(name)
    if not isinstance(values, list) or len(values) != head_size // 2:
        raise form.refuse(name, f"a list of {head_size // 2} numbers, half of a head's size")
    if not all(type(x) in (int, float) and 0 < x < 1e6 for x in values):
        raise form.refuse(name, "a list of positive numbers")
    return [float(x) for x in values]


def usable_length(rope: Rope, max_positions: int) -> float:
    """Return the most tokens that a language model can encode; kinds that scale have no limit."""
    return math.inf if rope["rope_type"] in ("dynamic", "longrope") else max_positions


def trained_length(llm: Mapping[str, Any], context_length: int) -> int:
    """Return the length up to which a checkpoint can be used, in tokens.

    Args:
        llm: of its configuration.
        context_length: of the family; the language model's own counts where that is smaller and
            its position embedding does not scale.
    """
    usable = usable_length(llm["rope_parameters"], llm["max_position_embeddings"])
    return int(min(context_length, usable))
