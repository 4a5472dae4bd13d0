"""The task's pieces in the tokenizers of the four backbones, which cut every text alike."""

from __future__ import annotations

from pathlib import Path

from tests.tiny.control_tokens import KINDS
from tests.tiny.tokenizer_files import write_tokenizer
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer, load_tokenizer

from .vocabulary import BOS, CONTROLS, PIECES, UNKNOWN, WORDS

BYTE_LEVEL = ("qwen2", "llama3")


def make_tokenizer(path: Path, kind: str) -> InternVL2Tokenizer:
    """Write the tokenizer files of `kind` into the directory `path` and load them."""
    path.mkdir(parents=True, exist_ok=True)
    write_tokenizer(path, kind, WORDS)
    return load_tokenizer(path)


def find_rows(tokenizer: InternVL2Tokenizer, kind: str) -> list[int]:
    """The row in PIECES of each id of the tokenizer; of ids that the task has no use for, the
    row of UNKNOWN."""
    vocab = tokenizer.get_vocab()
    found = [PIECES.index(UNKNOWN)] * (max(vocab.values()) + 1)
    names = {control: control for control in CONTROLS} | {
        BOS: KINDS[kind].settings.get("bos_token"),
        **{word: _spell(word, kind) for word in WORDS},
    }
    for row, piece in enumerate(PIECES):
        if names[piece] in vocab:
            found[vocab[names[piece]]] = row
    return found


def _spell(word: str, kind: str) -> str:
    """How the vocabulary of the tokenizer spells a word."""
    from tokenizers import pre_tokenizers

    if kind in BYTE_LEVEL:
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return str(byte_level.pre_tokenize_str(word)[0][0])
    return "<0x0A>" if word == "\n" else word.replace(" ", "▁")
