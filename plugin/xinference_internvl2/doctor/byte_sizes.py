"""Reads sizes such as 24GB or 24GiB, and shows a number of bytes in GB and in GiB."""

from __future__ import annotations

import argparse
import re

UNITS = {"GB": 10**9, "GiB": 1 << 30}


def parse_size(text: str) -> int:
    """Return the bytes of a size on the command line.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?) ?(GB|GiB)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is not a size, such as 24GB or 24GiB")
    return round(float(match[1]) * UNITS[match[2]])


def format_size(count: int) -> str:
    """Return a number of bytes in GB, as cards are sold, and in GiB, as tools show it."""
    return f"{count / UNITS['GB']:.1f} GB ({count / UNITS['GiB']:.1f} GiB)"
