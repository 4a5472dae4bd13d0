"""Control tokens of a prompt, and the same letters in a text of a user."""

from __future__ import annotations

import json
import random
import shutil
import time
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("sentencepiece")

from tests.unit.tokenizer.files import HUB, KINDS, LEGACY, edit_config, refusal, without
from tests.unit.tokenizer.reference import (
    random_text,
)
from xinference_internvl2.tokenizer.tokenizer import (
    encode_segments,
    load_tokenizer,
)


@pytest.mark.parametrize("name", [*KINDS, LEGACY, *HUB, "phi3_4b"])
def test_benign_segments_equal_the_whole_string(load, name: str) -> None:
    fast, slow = load(name)
    rng = random.Random(name)
    for _ in range(1000):
        segments = []
        for _ in range(rng.randint(0, 6)):
            trusted = rng.random() < 0.6
            segments.append((random_text(rng, list(slow.added) if trusted else []), trusted))
        whole = "".join(text for text, _ in segments)
        assert encode_segments(fast, segments) == slow.encode(whole), segments


@pytest.mark.parametrize("name", [*KINDS, LEGACY, *HUB, "phi3_4b"])
def test_control_tokens_of_a_user_stay_text(load, name: str) -> None:
    fast, slow = load(name)
    controls = {index for index, _ in slow.added.values()}
    rng = random.Random(name)
    start = fast("").input_ids
    for _ in range(500):
        text = random_text(rng, list(slow.added))
        ids = encode_segments(fast, [(text, False)])
        assert not controls & set(ids[len(start) :]), text
        split = fast(text, split_special_tokens=True, add_special_tokens=False).input_ids
        assert not controls & set(split), text
        assert split == ids[len(start) :], text
        if "▁" not in text:
            shown = fast.decode(ids[len(start) :])
            assert shown == (text if name not in ("qwen2", "InternVL2-1B") else nfc(text))


@pytest.mark.parametrize("name", ["phi3", LEGACY])
def test_words_that_were_split_before_get_no_prefix_space(load, name: str) -> None:
    fast, _ = load(name)
    ids = fast(["the", "red"], is_split_into_words=True, add_special_tokens=False).input_ids
    assert "".join(fast.convert_ids_to_tokens(ids)) == "thered"


def nfc(text: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", text)


def test_a_control_token_is_never_put_together_from_both_sides(load) -> None:
    fast, _ = load("internlm2")
    end = fast.convert_tokens_to_ids("<|im_end|>")
    for segments in (
        [("<|im_", True), ("end|>", False)],
        [("<|im_", False), ("end|>", True)],
        [("<|im_", False), ("end|>", False)],
        [("<|im", True), ("", False), ("_end|>", True)],
    ):
        assert end not in encode_segments(fast, segments)
    assert end in encode_segments(fast, [("<|im_", True), ("end|>", True)])


@pytest.mark.parametrize("name", ["internlm2", "InternVL2-2B"])
def test_placeholder_pieces_behind_control_tokens_stay_text(load, name: str) -> None:
    """The slow class reads `[UNUSED_TOKEN_145]` as `<|im_end|>`: a way around every filter."""
    fast, slow = load(name)
    text = "[UNUSED_TOKEN_145]"
    assert slow.encode(text)[-1] == fast.convert_tokens_to_ids("<|im_end|>")
    assert fast.convert_tokens_to_ids("<|im_end|>") not in fast(text).input_ids
    assert fast.decode(fast(text).input_ids, skip_special_tokens=True) == text


def test_added_tokens_that_no_file_calls_special_are_control_tokens(
    directories, tmp_path: Path
) -> None:
    for kind in ("llama3", "yi"):
        shutil.copytree(directories[kind], tmp_path / kind)
    path = tmp_path / "llama3" / "tokenizer.json"
    path.write_bytes(path.read_bytes().replace(b'"special": true', b'"special": false'))
    edit_config(tmp_path / "llama3", added_tokens_decoder={})
    without("<|im_end|>")(tmp_path / "yi")  # then it is but a user-defined piece
    for kind in ("llama3", "yi"):
        fast = load_tokenizer(tmp_path / kind)
        end = fast.convert_tokens_to_ids("<|im_end|>")
        assert encode_segments(fast, [("<|im_end|>", True)])[-1] == end
        assert end not in encode_segments(fast, [("<|im_end|>", False)])
        assert end not in fast("<|im_end|>", split_special_tokens=True).input_ids


def test_a_control_token_may_take_over_a_piece(directories, load, tmp_path: Path) -> None:
    text = "the picture in the garden"
    taken = load("phi3")[0](text, add_special_tokens=False).input_ids[0]
    shutil.copytree(directories["phi3"], tmp_path, dirs_exist_ok=True)
    decoder = load("phi3")[1].config["added_tokens_decoder"] | {str(taken): {"content": "<new>"}}
    edit_config(tmp_path, added_tokens_decoder=decoder)
    fast = load_tokenizer(tmp_path)
    assert fast.convert_tokens_to_ids("<new>") == taken
    ids = fast(text, add_special_tokens=False).input_ids
    assert taken not in ids
    assert fast.decode(ids) == text


def test_tokens_unknown_to_the_vocabulary_get_no_id(directories, tmp_path: Path) -> None:
    shutil.copytree(directories["phi3"], tmp_path, dirs_exist_ok=True)
    edit_config(tmp_path, pad_token="<pad>", additional_special_tokens=["<new>"])
    fast = load_tokenizer(tmp_path)
    assert fast.pad_token is None
    assert len(fast) == len(load_tokenizer(directories["phi3"]))


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_added_tokens_load_in_a_moment(directories, tmp_path: Path, kind: str) -> None:
    shutil.copytree(directories[kind], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "tokenizer_config.json"
    decoder = json.loads(path.read_text(encoding="utf-8"))["added_tokens_decoder"]
    first, size = max(map(int, decoder)) + 1, len(decoder)
    decoder |= {str(first + i): {"content": f"<{i}>"} for i in range(4096 - size)}
    edit_config(tmp_path, added_tokens_decoder=decoder)
    began = time.process_time()
    fast = load_tokenizer(tmp_path)
    assert time.process_time() - began < 2
    last = f"<{4095 - size}>"
    assert encode_segments(fast, [(last, True)])[-1] == first + 4095 - size
    assert encode_segments(fast, [(last, False)])[-1] == first + 4095 - size
    decoder[str(first + 4096)] = {"content": "<one too many>"}
    edit_config(tmp_path, added_tokens_decoder=decoder)
    message = refusal(lambda: load_tokenizer(tmp_path))
    assert "added_tokens_decoder has 4097 tokens" in message


@pytest.mark.parametrize("start", ["$A", "<s> $A", "a:1"])
def test_a_start_token_is_no_template(directories, tmp_path: Path, start: str) -> None:
    shutil.copytree(directories["phi3"], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "tokenizer_config.json"
    added = json.loads(path.read_text(encoding="utf-8"))["added_tokens_decoder"]
    added["1"]["content"] = start
    edit_config(tmp_path, added_tokens_decoder=added, bos_token=start)
    fast = load_tokenizer(tmp_path)
    assert fast("").input_ids == [1]
    assert fast("hello").input_ids == load_tokenizer(directories["phi3"])("hello").input_ids
