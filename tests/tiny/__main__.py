"""``python -m tests.tiny PATH --backbone qwen2``: write a checkpoint and print where it is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import get_args

from .checkpoint import DTYPES, TOKENIZERS, make_checkpoint
from .dims import PRESETS, Backbone, Dims, Vit


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "tests.tiny", description="Write a random InternVL2 checkpoint."
    )
    parser.add_argument("path", help="directory to write; it is created")
    parser.add_argument("--backbone", required=True, choices=get_args(Backbone))
    parser.add_argument("--vit", default="300m", choices=get_args(Vit))
    kinds = sorted({kind for choices in TOKENIZERS.values() for kind in choices})
    parser.add_argument("--tokenizer", choices=kinds, help="default: the backbone's first kind")
    parser.add_argument("--dims", default="tiny", choices=sorted(PRESETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", default="bfloat16", choices=DTYPES)
    parser.add_argument("--shards", type=int, default=1)
    for name in Dims.__dataclass_fields__:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = vars(_make_parser().parse_args(argv))
    given = {name: value for name, value in options.items() if value is not None}
    try:
        print(make_checkpoint(given.pop("path"), **given))
    except (ValueError, OSError) as error:
        print(f"tests.tiny: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
