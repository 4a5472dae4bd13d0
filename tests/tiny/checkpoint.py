"""Assembles one checkpoint directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .config import make_generation_config, make_model_config, make_preprocessor_config
from .control_tokens import KINDS
from .dims import Backbone, Dims, Vit, resolve_dims
from .tokenizer_files import write_json, write_tokenizer
from .weights import list_weight_shapes, write_weights

DTYPES = ("bfloat16", "float16", "float32")
TOKENIZERS = {
    "qwen2": ("qwen2",),
    "internlm2": ("internlm2",),
    "phi3": ("phi3",),
    "llama": ("yi", "llama3"),
}


def make_checkpoint(
    path: str | Path,
    *,
    backbone: Backbone,
    vit: Vit = "300m",
    tokenizer: str | None = None,
    dims: str = "tiny",
    seed: int = 0,
    dtype: str = "bfloat16",
    shards: int = 1,
    **overrides: Any,
) -> Path:
    """Write a random InternVL2 checkpoint in the published format and return its directory.

    ``overrides`` are fields of ``Dims`` (``hidden=256``, ``vit_layers=3``, …); ``tokenizer``
    chooses between the kinds of a backbone (``llama`` has ``yi`` and ``llama3``). The same
    arguments give the same bytes. Raises ValueError for arguments that do not fit.
    """
    sizes = resolve_dims(dims, backbone, overrides)
    kind = _check(backbone, vit, tokenizer, dtype, shards)
    path = Path(path)
    sizes = write_description(path, backbone, sizes, kind=kind, vit=vit, dtype=dtype)
    shapes = list_weight_shapes(backbone, vit, sizes)
    write_weights(path, shapes, seed=seed, dtype=dtype, shards=shards)
    return path


def write_description(
    path: Path,
    backbone: Backbone,
    sizes: Dims,
    *,
    kind: str,
    vit: Vit = "300m",
    dtype: str = "bfloat16",
    words: Sequence[str] = (),
) -> Dims:
    """Write all files but the weights and return the sizes with their ``vocab_size``.

    ``kind`` is the tokenizer's, ``words`` what it has as whole pieces.
    """
    path.mkdir(parents=True, exist_ok=True)
    ids = write_tokenizer(path, kind, words)
    sizes = replace(sizes, vocab_size=_resolve_vocab_size(sizes.vocab_size, ids))
    info = KINDS[kind]
    config = make_model_config(
        backbone,
        vit,
        sizes,
        template=info.template,
        dtype=dtype,
        token_ids=_find_token_ids(kind, ids),
    )
    write_json(path / "config.json", config)
    write_json(
        path / "generation_config.json", make_generation_config([ids[t] for t in info.stops])
    )
    write_json(path / "preprocessor_config.json", make_preprocessor_config(sizes.image_size))
    return sizes


def _check(backbone: Backbone, vit: str, tokenizer: str | None, dtype: str, shards: int) -> str:
    """Return the tokenizer kind, or raise ValueError for an argument out of its choices."""
    kind = tokenizer or TOKENIZERS[backbone][0]
    for name, value, choices in (
        ("tokenizer", kind, TOKENIZERS[backbone]),
        ("vit", vit, ("300m", "6b")),
        ("dtype", dtype, DTYPES),
    ):
        if value not in choices:
            raise ValueError(f"{name} {value!r} is not one of {', '.join(choices)}")
    if shards < 1:
        raise ValueError(f"shards {shards} must be 1 or more")
    return kind


def _resolve_vocab_size(wanted: int, ids: dict[str, int]) -> int:
    """Return the rows of the embedding; 0 asks for as many as the tokenizer needs."""
    needed = max(ids.values()) + 1
    if wanted and wanted < needed:
        raise ValueError(f"vocab_size {wanted} is less than the tokenizer's {needed}")
    return wanted or needed


def _find_token_ids(kind: str, ids: dict[str, int]) -> dict[str, int | None]:
    """Return the backbone's own bos, eos and pad ids, which differ from the stop ids."""
    settings = KINDS[kind].settings
    return {
        f"{name}_token_id": ids.get(str(settings.get(f"{name}_token")))
        for name in ("bos", "eos", "pad")
    }
