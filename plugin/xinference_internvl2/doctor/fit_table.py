"""Prints the table of checkpoints and engines: what each takes, and whether it fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ..families.memory_estimate import Use
from .byte_sizes import UNITS
from .fits import Fit


def format_fits(found: Sequence[Fit], use: Use) -> Iterator[str]:
    """Yield the lines of a table of checkpoints and engines."""
    pictures = f"{use.pictures} of the largest pictures ({use.picture_tokens:,} tokens of it)"
    yield f"With a context of {use.context:,} tokens, {pictures} and {use.answers} at once;"
    yield "1 GB is 10^9 bytes. A card sold as 24 GB mostly has 24 GiB, which are 25.8 GB."
    engines = list(dict.fromkeys(fit.engine for fit in found))
    head = ("Family", "Size", "Format", "Quantization", "GB", *engines)
    rows = [head]
    for key, group in groupby(found, key=_checkpoint_key):
        fits_by = {fit.engine: fit for fit in group}
        needed = next(iter(fits_by.values())).needed
        verdicts = (fits_by[e].verdict if e in fits_by else "–" for e in engines)
        rows.append((*key, f"{needed / UNITS['GB']:.1f}", *verdicts))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _checkpoint_key(fit: Fit) -> tuple[str, str, str, str]:
    return fit.family, fit.size, fit.model_format, fit.quantization
