"""Rotary position embeddings: how `config.json` says them, and the lengths at which they change.

transformers before 5 writes `rope_theta` and `rope_scaling`, later ones `rope_parameters`, which
has both. The parameters that `read_rope` returns are in the later form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from .json_files import Section

Rope = Mapping[str, Any]

MAX_POSITIONS = 1 << 24
_KINDS = {"su": "longrope"}
"""Older name of a kind → today's."""
_NEUTRAL = {"partial_rotary_factor": 1, "attention_factor": None}
"""Fields of both forms that change nothing with this value, and are refused with another."""
_ORIGINAL_LENGTH = 4096
"""What is meant where no field says it: the class default of Phi-3."""
_FIELDS = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "longrope": ("short_factor", "long_factor", "factor", "original_max_position_embeddings"),
}
"""Kind → the fields that it is read with."""


def read_rope(llm: Section, head_size: int, kinds: tuple[str, ...]) -> dict[str, Any]:
    """The rope parameters of a language model, checked.

    Args:
        llm: `llm_config`, in which both forms may stand if they say the same.
        kinds: those that the language model knows.

    Raises:
        CheckpointError: a field is wrong, unknown, or said twice and differently.
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
    kind = _kind(form, kinds)
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
    return rope | (_longrope(llm, form, head_size) if kind == "longrope" else {})


def _kind(form: Section, kinds: tuple[str, ...]) -> str:
    said = [form.get(key) for key in ("rope_type", "type") if form.get(key) is not None]
    if any(not isinstance(kind, str) for kind in said):
        raise form.refuse("type" if form.get("rope_type") is None else "rope_type", "a text")
    found = {_KINDS.get(kind, kind) for kind in said} or {"default"}
    for key in ("rope_type", "type"):
        kind = form.get(key)
        if kind is not None and _KINDS.get(kind, kind) not in kinds:
            raise form.refuse(key, " or ".join(kinds))
    if len(found) > 1:
        raise form.refuse("type", "what rope_type says; keep the right one of the two")
    return str(found.pop())


def _longrope(llm: Section, form: Section, head_size: int) -> dict[str, Any]:
    original = _original_length(llm, form)
    stretched = llm.integer("max_position_embeddings", 1, MAX_POSITIONS) / original
    if form.get("factor") is not None and not math.isclose(form.number("factor"), stretched):
        raise form.refuse(
            "factor", f"{stretched}, max_position_embeddings / original_max_position_embeddings"
        )
    return {
        "original_max_position_embeddings": original,
        **{name: _factors(form, name, head_size) for name in ("short_factor", "long_factor")},
    }


def _original_length(llm: Section, form: Section) -> int:
    """It stands beside the rope parameters, inside them, or both."""
    key = "original_max_position_embeddings"
    places = [section for section in (form, llm) if section.get(key) is not None]
    # The attention is scaled by the inverse of its logarithm, so 1 would divide by zero.
    found = [section.integer(key, 2, MAX_POSITIONS) for section in places] or [_ORIGINAL_LENGTH]
    if len({*found}) > 1:
        raise form.refuse(key, f"{found[-1]}, as llm_config says beside it; keep the right one")
    return found[0]


def _factors(form: Section, name: str, head_size: int) -> list[float]:
    values = form.get(name)
    if not isinstance(values, list) or len(values) != head_size // 2:
        raise form.refuse(name, f"a list of {head_size // 2} numbers, half of a head's size")
    if not all(type(x) in (int, float) and 0 < x < 1e6 for x in values):
        raise form.refuse(name, "a list of positive numbers")
    return [float(x) for x in values]


def fixed_length(rope: Rope, max_positions: int) -> float:
    """Tokens up to which positions are encoded alike, however long the text is that has them."""
    if rope["rope_type"] == "longrope":
        return int(rope["original_max_position_embeddings"])
    return max_positions if rope["rope_type"] == "dynamic" else math.inf


def encoding(rope: Rope, max_positions: int, tokens: int) -> Literal["short", "long"] | None:
    """How the positions of a text of so many tokens are encoded; texts of one encoding can be read
    together. None is an encoding that no other length has, which `dynamic` has for each."""
    if tokens <= fixed_length(rope, max_positions):
        return "short"
    return "long" if rope["rope_type"] == "longrope" else None


def switches(rope: Rope, max_positions: int, tokens: int) -> bool:
    """Whether the last of so many tokens changes how all before it are encoded, once and for all:
    what was read of them is of no use then."""
    longrope = rope["rope_type"] == "longrope"
    return longrope and tokens == fixed_length(rope, max_positions) + 1


def grows(rope: Rope) -> bool:
    """Whether each length beyond the fixed one has an encoding of its own."""
    return bool(rope["rope_type"] == "dynamic")


def usable_length(rope: Rope, max_positions: int) -> float:
    """Tokens for which the language model was made; the kinds that stretch set no limit here."""
    return math.inf if rope["rope_type"] in ("dynamic", "longrope") else max_positions
