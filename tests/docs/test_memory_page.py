"""The numbers of the page about memory are those that the code computes."""

from __future__ import annotations

from pathlib import Path

from xinference_internvl2.doctor.devices import Device
from xinference_internvl2.doctor.fits import LIBRARIES, list_fits
from xinference_internvl2.families.memory_estimate import VLLM_SHARE, Use
from xinference_internvl2.families.records import load_runtimes

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/memory.rst").read_text("utf-8")
CARD = 24 * 2**30
GB = 10**9


def test_26b_awq_on_a_card_of_24_gb() -> None:
    (memory,) = (
        spec.memory
        for spec in load_runtimes()["internvl2"].model_specs
        if (spec.model_size_in_billions, spec.model_format) == (26, "awq")
    )
    assert memory
    weights, use = memory.weights["Int4"], Use(8192)
    rest = memory.kv_cache(use) + memory.activations(use) + LIBRARIES
    for sentence in (
        f"{Use(8192, 4).picture_tokens:,} tokens",
        f"{Use(8192, 4, tiles_per_picture=6).picture_tokens:,} tokens",
        f"They are {weights / GB:.1f} GB",
        f"which are {CARD / GB:.1f} GB",
        f"nine tenths of that, {VLLM_SHARE['gpu'] * CARD / GB:.1f} GB",
        f"{(CARD - weights) / GB:.1f} GB are left",
        f"8k needs {rest / GB:.1f} GB",
        f"Our table says {memory.total('Int4', use) / GB:.1f} GB",
        f"needs {memory.activations(use) / GB:.1f} GB",
        f"With a context of {_context('26', 'awq', Use(8192))} it fits",
    ):
        assert sentence in PAGE.replace("\n", " "), sentence
    assert _context("8", "pytorch", Use(14336, 4)) == _context("8", "awq", Use(14336, 4)) == 14336


def _context(size: str, model_format: str, use: Use) -> int:
    """The context with which the checkpoint fits, quantized no more than it is."""
    found = list_fits([Device("gpu", "A card", CARD, CARD)], use)
    quantization = {"awq": "Int4", "pytorch": "none"}[model_format]
    wanted = ("internvl2", "Transformers", size, model_format, quantization)
    (fit,) = (
        f for f in found if (f.family, f.engine, f.size, f.model_format, f.quantization) == wanted
    )
    return fit.context
