"""Builds the `tokenizers.Tokenizer` of `vocab.json` and `merges.txt`: Qwen2's byte-level BPE."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from ..checkpoint.json_files import read_bytes, read_object
from ..errors import CheckpointError

QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen2 splits text before it applies merges."""
MAX_BYTES = 32 * 1024 * 1024
"""Of a file with a vocabulary; the largest published one has 9 MB."""
MAX_MERGES = 1 << 20
"""Lines of `merges.txt`; the published one has 151,292."""


def has_vocab_and_merges(directory: Path) -> bool:
    """Whether the directory has the files of a byte-level BPE."""
    return (directory / "vocab.json").is_file() and (directory / "merges.txt").is_file()


def from_vocab_and_merges(directory: Path) -> Tokenizer:
    """Return the byte-level BPE of Qwen2, from `vocab.json` and `merges.txt`.

    Raises:
        CheckpointError: the files are damaged or do not fit each other.
    """
    vocab, merges = directory / "vocab.json", directory / "merges.txt"
    ids, lines = read_object(vocab, MAX_BYTES), read_bytes(merges, MAX_BYTES)
    if lines.count(b"\n") > MAX_MERGES:
        raise CheckpointError(f"{merges} has more than {MAX_MERGES} lines; download it again")
    try:
        tokenizer = Tokenizer(models.BPE(ids, _parse_merges(lines)))
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(
            f"{vocab} and {merges.name} are damaged or do not belong together "
            f"({error!s:.200}); download both again"
        ) from None
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _parse_merges(lines: bytes) -> list[tuple[str, str]]:
    """Return the merges of `merges.txt`: two pieces a line, after a line with the version."""
    found: list[tuple[str, str]] = []
    for line in lines.decode("utf-8").rstrip("\n").split("\n"):
        if not line.startswith("#version"):
            left, right = line.rstrip("\r").split(" ")
            found.append((left, right))
    return found
