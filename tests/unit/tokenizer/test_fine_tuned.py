"""Tokens that a fine-tune added, and tokenizers that were saved again."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.unit.tokenizer.files import KINDS, LEGACY, edit_config, edit_json, refusal
from tests.unit.tokenizer.reference import SlowByteLevel, SlowSentencePiece, random_text
from xinference_internvl2.tokenizer.tokenizer import (
    InternVL2Tokenizer,
    encode_segments,
    load_tokenizer,
)

ORDINARY, SPECIAL = ("[STAR]", "<loc>"), ("<obj>",)
PLACES = ("added_tokens_decoder", "added_tokens.json", "tokenizer.json")


def add_tokens(directory: Path, place: str) -> None:
    """Add the tokens as a training tool saves them in one of the three places."""
    config = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    decoder = config["added_tokens_decoder"]
    first = max(map(int, decoder)) + 1
    new = {text: first + i for i, text in enumerate((*ORDINARY, *SPECIAL))}
    flags = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
    if place == "added_tokens_decoder":
        entries = {str(i): {"content": t, "special": t in SPECIAL, **flags} for t, i in new.items()}
        edit_config(directory, added_tokens_decoder=decoder | entries)
        return
    additional = [*config["additional_special_tokens"], *SPECIAL]
    edit_config(directory, added_tokens_decoder=None, additional_special_tokens=additional)
    all_ = {entry["content"]: int(index) for index, entry in decoder.items()} | new
    (directory / "added_tokens.json").write_text(json.dumps(all_), encoding="utf-8")
    if place == "tokenizer.json":
        (directory / "added_tokens.json").unlink()
        edit_json(
            "tokenizer.json",
            lambda values: values["added_tokens"].extend(
                {"id": i, "content": t, "special": t in SPECIAL, **flags} for t, i in new.items()
            ),
        )(directory)


@pytest.fixture(
    scope="module",
    params=[
        *((kind, place) for kind in (*KINDS, LEGACY) for place in PLACES[:2]),
        ("llama3", PLACES[2]),
    ],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def tuned(request: pytest.FixtureRequest, directories, tmp_path_factory) -> InternVL2Tokenizer:
    kind, place = request.param
    path = tmp_path_factory.mktemp("tuned")
    shutil.copytree(directories[kind], path, dirs_exist_ok=True)
    add_tokens(path, place)
    return load_tokenizer(path)


def test_a_token_needs_a_row_of_the_embedding(tuned: InternVL2Tokenizer) -> None:
    """At the bound, and one beyond it."""
    path, last = tuned.name_or_path, max(tuned.get_vocab().values())
    assert tuned.convert_tokens_to_ids("<obj>") == last
    assert load_tokenizer(path, last + 1).get_vocab() == tuned.get_vocab()
    for size in (last, last - 1):
        token = "<obj>" if size == last else ORDINARY[-1]
        assert (
            f'has the token "{token}" with the id {size}, but llm_config.vocab_size is {size}; '
            "save the model again after resize_token_embeddings"
        ) in refusal(lambda size=size: load_tokenizer(path, size))


@pytest.mark.parametrize("trusted", [True, False])
def test_an_added_token_is_one_id_in_any_text(tuned: InternVL2Tokenizer, trusted: bool) -> None:
    for token in (*ORDINARY, *SPECIAL):
        index = tuned.convert_tokens_to_ids(token)
        for text in (token, f"What colour is the{token}?", f"{token} {token}<img>x"):
            ids = encode_segments(tuned, [(text, trusted)])
            assert ids.count(index) == text.count(token), text
            assert tuned(text).input_ids.count(index) == text.count(token)
            if trusted:
                assert ids == tuned(text).input_ids


def test_published_control_tokens_stay_out_of_a_text(tuned: InternVL2Tokenizer) -> None:
    image = tuned.convert_tokens_to_ids("<img>")
    assert image in encode_segments(tuned, [("[STAR]<img>", True)])
    assert image not in encode_segments(tuned, [("[STAR]<img>", False)])


def test_ordinary_ones_stay_in_an_answer_and_special_ones_go(tuned: InternVL2Tokenizer) -> None:
    text = "a[STAR]b<obj>c<loc>"
    ids = encode_segments(tuned, [(text, False)])
    shown = tuned.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert shown.replace(" ", "") == "a[STAR]bc<loc>"
    whole = tuned.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    assert "<obj>" in whole
    for token in (*ORDINARY, *SPECIAL):
        assert tuned.token_bytes(tuned.convert_tokens_to_ids(token)) == token.encode()


@pytest.mark.parametrize("kind", [*KINDS, LEGACY])
def test_ids_equal_the_slow_tokenizer_with_the_same_tokens(
    directories, tmp_path: Path, kind: str
) -> None:
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    add_tokens(tmp_path, PLACES[0])
    sentencepiece = (tmp_path / "tokenizer.model").is_file()
    slow = (SlowSentencePiece if sentencepiece else SlowByteLevel)(tmp_path)
    fast, rng = load_tokenizer(tmp_path), random.Random(kind)
    assert "[STAR]" in slow.added
    for number in range(300):
        text = random_text(rng, list(slow.added))
        assert encode_segments(fast, [(text, True)]) == slow.encode(text), (number, text)


@pytest.mark.parametrize("kind", [*KINDS, LEGACY])
def test_what_our_tokenizers_save_they_load_again(directories, tmp_path: Path, kind: str) -> None:
    shutil.copytree(directories[kind], tmp_path / "tuned")
    add_tokens(tmp_path / "tuned", PLACES[0])
    for number, source in enumerate((directories[kind], tmp_path / "tuned")):
        fast, saved = load_tokenizer(source), tmp_path / str(number)
        fast.save_pretrained(saved)
        again, rng = load_tokenizer(saved), random.Random(kind)
        known = [token.content for token in fast._tokenizer.get_added_tokens_decoder().values()]
        for _ in range(100):
            segments = [(random_text(rng, known), rng.random() < 0.5) for _ in range(3)]
            ids = encode_segments(fast, segments)
            assert encode_segments(again, segments) == ids, segments
            for skip in (True, False):
                assert again.decode(ids, skip_special_tokens=skip) == fast.decode(
                    ids, skip_special_tokens=skip
                )


@pytest.mark.parametrize("kind", KINDS)
def test_what_transformers_saves_is_equal_or_refused(
    directories, tmp_path: Path, kind: str
) -> None:
    from transformers import LlamaTokenizerFast, PreTrainedTokenizerFast, Qwen2TokenizerFast

    classes = {"qwen2": Qwen2TokenizerFast, "llama3": PreTrainedTokenizerFast}
    classes.get(kind, LlamaTokenizerFast).from_pretrained(directories[kind]).save_pretrained(
        tmp_path
    )
    assert not (tmp_path / "tokenizer.model").exists()
    if kind not in classes:
        message = refusal(lambda: load_tokenizer(tmp_path))
        assert "tokenizer.json: the normalizer is null" in message
        assert message.endswith("added_tokens.json)")
        return
    fast, again = load_tokenizer(directories[kind]), load_tokenizer(tmp_path)
    rng = random.Random(kind)
    for _ in range(300):
        text = random_text(rng, ["<img>", "<|im_end|>"])
        ids = encode_segments(fast, [(text, True), (text, False)])
        assert encode_segments(again, [(text, True), (text, False)]) == ids, text


@pytest.mark.parametrize("kind", ["internlm2", "llama3"])
def test_letters_that_merge_to_a_control_token_are_refused(
    directories, tmp_path: Path, kind: str
) -> None:
    load_tokenizer(directories[kind]).save_pretrained(tmp_path)

    def change(values: dict) -> None:
        model, end = values["model"], "<|im_end|>"
        for length in range(2, len(end) + 1):
            model["vocab"].setdefault(end[:length], 10_000 + length)
            model["merges"].append([end[: length - 1], end[length - 1 : length]])

    edit_json("tokenizer.json", change)(tmp_path)
    assert 'merges letters of a text to the token "<|im_end|>"' in refusal(
        lambda: load_tokenizer(tmp_path)
    )


@pytest.mark.parametrize("prefix", ["", "last", None, 3, ["first"]])
def test_an_unknown_prefix_is_refused(directories, tmp_path: Path, prefix: object) -> None:
    load_tokenizer(directories["phi3"]).save_pretrained(tmp_path)
    edit_config(tmp_path, sentencepiece_prefix=prefix)
    sentence = "tokenizer_config.json: sentencepiece_prefix is not one of none, first, every"
    assert sentence in refusal(lambda: load_tokenizer(tmp_path))
