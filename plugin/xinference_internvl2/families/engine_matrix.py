"""Which engine serves which quantization of a spec, and the sentence that refuses the others."""

from __future__ import annotations

from typing import Any, Literal

from ..errors import join_names
from .find_family import family_of
from .records import FamilyRuntime, SpecRuntime, load_runtimes
from .withdrawn import is_withdrawn

Verdict = Literal[True] | tuple[Literal[False], str]
AWQ_ON_VLLM = "vLLM computes AWQ weights only on a GPU or on a processor with AVX-512"
"""What `doctor` and a launch say where vLLM has no kernel for them."""


def serves(model_family: Any, model_spec: Any, quantization: str | None, engine: str) -> Verdict:
    """Return True if our loader for `engine` serves a spec of the host, or False and the reason.

    A family that a user registered on top of one of ours may have any size: only its format and
    its quantization have to be ones that the engine serves.
    """
    runtime = family_of(model_family)
    if runtime is None:
        return False, _refuse_family(str(model_family.model_family or model_family.model_name))
    specs, missing = _find_specs(runtime, model_family, model_spec)
    if not specs:
        return False, missing
    wanted = quantization or "none"
    served = [q for spec in specs for q in _find_quantizations(spec, engine)]
    if wanted.lower() in (q.lower() for q in served):
        return True
    return False, _refuse_quantization(runtime, model_spec.model_format, wanted, engine, specs)


def _refuse_family(name: str) -> str:
    if is_withdrawn(name):
        return f"Xinference has the model family {name} itself, so xinference-internvl2 leaves it."
    return f"The plugin xinference-internvl2 serves {join_names(load_runtimes())}, not {name}."


def _find_specs(
    runtime: FamilyRuntime, model_family: Any, model_spec: Any
) -> tuple[list[SpecRuntime], str]:
    name, wanted = runtime.model_name, model_spec.model_format
    same_format = [spec for spec in runtime.model_specs if spec.model_format == wanted]
    if not same_format:
        formats = join_names(spec.model_format for spec in runtime.model_specs)
        return [], f"{name} has no model spec of format {wanted}; its formats are {formats}."
    if model_family.model_name != name:
        return same_format, ""
    size = str(model_spec.model_size_in_billions)
    sizes = [str(spec.model_size_in_billions) for spec in same_format]
    missing = f"{name} has no {wanted} spec of size {size}; its sizes are {join_names(sizes)}."
    return [spec for spec, own in zip(same_format, sizes, strict=True) if own == size], missing


def _refuse_quantization(
    runtime: FamilyRuntime, model_format: str, wanted: str, engine: str, specs: list[SpecRuntime]
) -> str:
    what = f"{runtime.model_name} in format {model_format}"
    served = [q for spec in specs for q in _find_quantizations(spec, engine)]
    others = [
        name
        for spec in specs
        for name, quantizations in spec.engines.items()
        if wanted.lower() in (q.lower() for q in quantizations)
    ]
    remedy = f"; quantization {wanted} is served by {join_names(others)}." if others else "."
    if not served:
        return f"{engine} does not serve {what}{remedy}"
    return f"{engine} serves {what} with quantization {join_names(served)}, not {wanted}{remedy}"


def _find_quantizations(spec: SpecRuntime, engine: str) -> tuple[str, ...]:
    by_name = {name.lower(): quantizations for name, quantizations in spec.engines.items()}
    return by_name.get(engine.lower(), ())
