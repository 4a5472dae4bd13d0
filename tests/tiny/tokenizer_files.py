"""Tokenizer files of the published kinds, small and deterministic.

They are trained on ``corpus``, or have the words that they are given as whole pieces.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .control_tokens import INTERNLM2, KINDS, VISION, YI_PIECES
from .corpus import LINES
from .whole_words import USER_DEFINED, encode_piece, make_byte_level_model, make_sentencepiece_model

Words = Sequence[str]

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTE_VOCAB = 640  # 256 bytes and the merges
SENTENCEPIECE_VOCAB = 900  # 3 control pieces, 256 bytes, characters and merges


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as the published files are written: indented, not escaped."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _make_byte_level(words: Words, *, normalize: bool) -> Any:
    """Return a byte-level BPE without added tokens; ``normalize`` is Qwen2's NFC."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(ignore_merges=not normalize))
    if normalize:
        tokenizer.normalizer = normalizers.NFC()
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    split = pre_tokenizers.Split(Regex(SPLIT), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    if words:
        tokenizer.model = make_byte_level_model(words, ignore_merges=not normalize)
        return tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=BYTE_VOCAB,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES, trainer)
    return tokenizer


def _write_qwen2(path: Path, words: Words) -> dict[str, int]:
    model = json.loads(_make_byte_level(words, normalize=True).to_str())["model"]
    vocab: dict[str, int] = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    text = json.dumps(vocab, ensure_ascii=False)
    (path / "vocab.json").write_text(text, encoding="utf-8")
    merges = "".join(f"{left} {right}\n" for left, right in model["merges"])
    (path / "merges.txt").write_text("#version: 0.2\n" + merges, encoding="utf-8")
    tokens = KINDS["qwen2"].own + VISION
    return {token: len(vocab) + i for i, token in enumerate(tokens)}


def _write_llama3(path: Path, words: Words) -> dict[str, int]:
    from tokenizers import AddedToken, processors

    tokenizer = _make_byte_level(words, normalize=False)
    tokens = KINDS["llama3"].own + VISION
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in tokens])
    bos = tokens[0]
    template = processors.TemplateProcessing(
        single=f"{bos} $A",
        pair=f"{bos} $A {bos} $B",
        special_tokens=[(bos, tokenizer.token_to_id(bos))],
    )
    tokenizer.post_processor = processors.Sequence(
        [processors.ByteLevel(trim_offsets=True), template]
    )
    tokenizer.save(str(path / "tokenizer.json"))
    return {token: tokenizer.token_to_id(token) for token in tokens}


def _make_sentencepiece(words: Words, **options: Any) -> tuple[bytes, int]:
    """Return ``tokenizer.model`` and the number of its pieces."""
    if words:
        return make_sentencepiece_model(words, **options)
    return _train_sentencepiece(**options), SENTENCEPIECE_VOCAB


def _train_sentencepiece(**options: Any) -> bytes:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in LINES for line in text.split("\n") if line),
        model_writer=model,
        model_type="bpe",
        vocab_size=SENTENCEPIECE_VOCAB,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        character_coverage=0.99,
        num_threads=1,
        minloglevel=2,
        **options,
    )
    return model.getvalue()


def _write_internlm2(path: Path, words: Words) -> dict[str, int]:
    # The published file ends in placeholder pieces, the last six of which are control tokens.
    placeholders = [f"[UNUSED_TOKEN_{number}]" for number in range(137, 147)]
    model, count = _make_sentencepiece(words, add_dummy_prefix=False)
    pieces = b"".join(encode_piece(text, 0.0, USER_DEFINED) for text in placeholders)
    (path / "tokenizer.model").write_bytes(model + pieces)
    size = count + len(placeholders)
    own = {token: size - len(INTERNLM2) + i for i, token in enumerate(INTERNLM2)}
    vision = {token: size + i for i, token in enumerate(VISION)}
    return {"<unk>": 0, "<s>": 1, "</s>": 2, **own, **vision}


def _write_phi3(path: Path, words: Words) -> dict[str, int]:
    model, count = _make_sentencepiece(words, add_dummy_prefix=True)
    (path / "tokenizer.model").write_bytes(model)
    tokens = KINDS["phi3"].own + VISION
    added = {token: count + i for i, token in enumerate(tokens)}
    return {"<unk>": 0, "<s>": 1, "</s>": 2, **added}


def _write_yi(path: Path, words: Words) -> dict[str, int]:
    model, count = _make_sentencepiece(
        words,
        add_dummy_prefix=False,
        bos_piece="<|startoftext|>",
        eos_piece="<|endoftext|>",
        user_defined_symbols=list(YI_PIECES),
    )
    (path / "tokenizer.model").write_bytes(model)
    own = {token: 3 + YI_PIECES.index(token) for token in KINDS["yi"].own}
    vision = {token: count + i for i, token in enumerate(VISION)}
    return {"<unk>": 0, "<|startoftext|>": 1, "<|endoftext|>": 2, **own, **vision}


_WRITERS = {
    "qwen2": _write_qwen2,
    "internlm2": _write_internlm2,
    "phi3": _write_phi3,
    "yi": _write_yi,
    "llama3": _write_llama3,
}


def _describe_added_token(kind: str, token: str) -> dict[str, Any]:
    """Return one entry of ``added_tokens_decoder``; Phi-3's flags are the odd ones."""
    strips = kind == "phi3" and token.startswith("<|") and token != "<|endoftext|>"
    plain = kind == "phi3" and token == "</s>"
    return {
        "content": token,
        "lstrip": False,
        "normalized": False,
        "rstrip": strips or plain,
        "single_word": False,
        "special": not plain,
    }


def write_tokenizer(path: Path, kind: str, words: Words = ()) -> dict[str, int]:
    """Write every tokenizer file of ``kind`` into ``path``; return the control tokens' ids.

    ``words`` become whole pieces; without them, pieces are trained on ``corpus``.
    """
    ids = _WRITERS[kind](path, words)
    info = KINDS[kind]
    in_order = sorted(ids.items(), key=lambda item: item[1])
    decoder = {str(index): _describe_added_token(kind, token) for token, index in in_order}
    settings = {
        **info.settings,
        "added_tokens_decoder": decoder,
        "additional_special_tokens": list(info.special_map),
    }
    named = {k: decoder[str(ids[v])] for k, v in _find_named_tokens(kind).items()}
    for entry in (flags := {k: dict(v) for k, v in named.items()}).values():
        del entry["special"]
    write_json(path / "tokenizer_config.json", dict(sorted(settings.items())))
    special = {"additional_special_tokens": list(info.special_map), **flags}
    write_json(path / "special_tokens_map.json", special)
    base = ("<unk>", "<s>", "</s>", "<|startoftext|>")
    write_json(path / "added_tokens.json", {t: i for t, i in sorted(ids.items()) if t not in base})
    return ids


def _find_named_tokens(kind: str) -> dict[str, str]:
    """Return the bos, eos, pad and unk tokens that the kind has."""
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    found = {name: KINDS[kind].settings.get(name) for name in names}
    return {name: str(token) for name, token in found.items() if token}
