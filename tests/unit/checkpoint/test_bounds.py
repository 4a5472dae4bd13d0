"""Bounds of a checkpoint's files: at them, and one beyond."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xinference_internvl2.checkpoint import lora_adapter_files, rope, tile_config, weight_files
from xinference_internvl2.checkpoint.config import MAX_RANK
from xinference_internvl2.checkpoint.typed_fields import Section
from xinference_internvl2.checkpoint.weight_files import MAX_HEADER_BYTES
from xinference_internvl2.checkpoint.weight_format import AWQ, _describe_quantization
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.tokenizer import added_token_files
from xinference_internvl2.tokenizer.added_token_limits import (
    MAX_ADDED,
    MAX_CONTENT,
    MAX_ID,
    check_count,
)

FILE = Path("tokenizer.json")


def test_the_header_of_a_safetensors_file(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"

    def check(size: int) -> None:
        with file.open("wb") as opened:
            opened.write(size.to_bytes(8, "little"))
            opened.truncate(size + 8)
        weight_files._check_header(file)

    check(MAX_HEADER_BYTES)
    with pytest.raises(CheckpointError, match=f"a header of {MAX_HEADER_BYTES + 1} bytes"):
        check(MAX_HEADER_BYTES + 1)


def test_a_header_longer_than_its_file_is_damage_that_others_name(tmp_path: Path) -> None:
    file, size = tmp_path / "model.safetensors", MAX_HEADER_BYTES + 1
    file.write_bytes(size.to_bytes(8, "little"))
    os.truncate(file, size - 1)
    weight_files._check_header(file)
    os.truncate(file, size)
    with pytest.raises(CheckpointError, match=f"a header of {size} bytes"):
        weight_files._check_header(file)


def test_the_id_of_a_token() -> None:
    for index in (0, MAX_ID - 1):
        assert added_token_files._parse_id(index, "id", FILE) == index
        assert [*added_token_files._from_config({str(index): {"content": "a"}}, FILE)] == [index]
    for wrong in (-1, MAX_ID):
        with pytest.raises(CheckpointError, match="id is not a whole number from 0 to"):
            added_token_files._parse_id(wrong, "id", FILE)
        with pytest.raises(CheckpointError, match="an id"):
            added_token_files._from_config({str(wrong): {"content": "a"}}, FILE)


def test_the_text_of_a_token() -> None:
    for length in (1, MAX_CONTENT):
        assert added_token_files._parse_token({"content": "a" * length}, "it", FILE, ()).content
    for wrong in (0, MAX_CONTENT + 1):
        with pytest.raises(CheckpointError, match=f"a text of 1 to {MAX_CONTENT} characters"):
            added_token_files._parse_token({"content": "a" * wrong}, "it", FILE, ())


def test_the_number_of_added_tokens() -> None:
    check_count(range(MAX_ADDED), "it", FILE)
    with pytest.raises(CheckpointError, match=f"it has {MAX_ADDED + 1} tokens"):
        check_count(range(MAX_ADDED + 1), "it", FILE)


@pytest.mark.parametrize(("bits", "layout"), [(4, "gemv"), (8, "gemm"), (3, "gemm")])
def test_other_bits_and_other_layouts_are_not_ours(bits: int, layout: str) -> None:
    ours: dict[str, Any] = {"quant_method": "awq", "bits": 4, "version": "gemm"}
    assert _describe_quantization(ours) == AWQ
    other = _describe_quantization({**ours, "bits": bits, "version": layout})
    assert other == f"AWQ in {bits} bit and {layout} layout"


@pytest.mark.parametrize(
    ("value", "fine"), [(0, False), (1e-300, True), (9.99e11, True), (1e12, False), (-1, False)]
)
def test_a_positive_number(value: float, fine: bool) -> None:
    section = Section(FILE, "", {"x": value})
    if fine:
        assert section.number("x") == value
        return
    with pytest.raises(CheckpointError, match="but must be a positive number"):
        section.number("x")


@pytest.mark.parametrize(("value", "fine"), [(2, False), (3, True), (5, True), (6, False)])
def test_a_whole_number(value: int, fine: bool) -> None:
    section = Section(FILE, "", {"x": value})
    if fine:
        assert section.integer("x", 3, 5) == value
        return
    with pytest.raises(CheckpointError, match="but must be a whole number from 3 to 5"):
        section.integer("x", 3, 5)


@pytest.mark.parametrize(("length", "shown"), [(78, 80), (79, 80)])
def test_eighty_characters_of_a_wrong_value_are_shown(length: int, shown: int) -> None:
    whole = '"' + "a" * length + '"'
    sentence = str(Section(FILE, "", {"x": "a" * length}).refuse("x", "a number"))
    assert f": x is {whole[:shown]}, but must be a number" in sentence


@pytest.mark.parametrize(
    ("ratio", "tokens"),
    [(1, 64), (0.5, 16), (0.25, 4), (0.75, None), (1 + 2**-52, None), (2, None)],
)
def test_a_tile_is_made_smaller_by_a_whole_number(ratio: float, tokens: int | None) -> None:
    vision = {"image_size": 64, "patch_size": 8}
    top = Section(FILE, "", {"vision_config": vision, "downsample_ratio": ratio})
    if tokens is not None:
        assert tile_config.read_tile_size(top) == (64, tokens)
        return
    with pytest.raises(CheckpointError, match="but must be 1 divided by a whole number"):
        tile_config.read_tile_size(top)


@pytest.mark.parametrize(("side", "fine"), [(4096, True), (4097, False)])
def test_the_side_of_a_tile(side: int, fine: bool) -> None:
    top = Section(FILE, "", {"vision_config": {"patch_size": 16}, "force_image_size": side})
    if fine:
        assert tile_config.read_tile_size(top) == (side, 128**2)
        return
    with pytest.raises(CheckpointError, match="must be a whole number from 1 to 4096"):
        tile_config.read_tile_size(top)


@pytest.mark.parametrize(
    ("rank", "fine"), [(0, False), (1, True), (MAX_RANK, True), (MAX_RANK + 1, False)]
)
def test_the_rank_of_an_adapter(tmp_path: Path, rank: int, fine: bool) -> None:
    values = {"peft_type": "LORA", "r": rank, "lora_alpha": 8}
    (tmp_path / "adapter_config.json").write_text(json.dumps(values))
    if fine:
        assert lora_adapter_files.read_adapter_config(tmp_path).alpha == 8
        return
    with pytest.raises(CheckpointError, match=f"r is {rank}, but must be a whole number from 1"):
        lora_adapter_files.read_adapter_config(tmp_path)


@pytest.mark.parametrize(
    ("factor", "fine"),
    [(0, False), (1e-300, True), (999_999, True), (1e6, False), (True, False), ("1", False)],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_factor_of_longrope(factor: Any, place: int, fine: bool) -> None:
    factors = [1.0, 1.0]
    factors[place] = factor
    section = Section(FILE, "", {"x": factors})
    if fine:
        assert rope._read_factors(section, "x", 4) == factors
        return
    with pytest.raises(CheckpointError, match="must be a list of positive numbers"):
        rope._read_factors(section, "x", 4)


@pytest.mark.parametrize(("count", "fine"), [(1, False), (2, True), (3, False)])
def test_the_factors_of_longrope(count: int, fine: bool) -> None:
    section = Section(FILE, "", {"x": [1.0] * count})
    if fine:
        assert rope._read_factors(section, "x", 4) == [1.0, 1.0]
        return
    with pytest.raises(CheckpointError, match="must be a list of 2 numbers"):
        rope._read_factors(section, "x", 4)


@pytest.mark.parametrize("length", [40, 41])
def test_forty_characters_of_a_quantization_are_shown(length: int) -> None:
    found = _describe_quantization({"quant_method": "q" * length})
    assert found == f"weights quantized with {'q' * 40}"
    found = _describe_quantization({"quant_method": "awq", "bits": 4, "version": "v" * length})
    assert found == f"AWQ in 4 bit and {'v' * 40} layout"


@pytest.mark.parametrize("patterns", [None, {}])
def test_an_adapter_may_have_no_alpha_patterns(patterns: Any) -> None:
    section = Section(FILE, "", {"alpha_pattern": patterns})
    assert lora_adapter_files._read_patterns(section, "alpha_pattern") == {}


@pytest.mark.parametrize(("length", "fine"), [(0, False), (1, True), (200, True), (201, False)])
def test_the_length_of_a_pattern(length: int, fine: bool) -> None:
    section = Section(FILE, "", {"alpha_pattern": {"a" * length: 5}})
    if fine:
        assert lora_adapter_files._read_patterns(section, "alpha_pattern") == {"a" * length: 5.0}
        return
    with pytest.raises(CheckpointError, match="without regular expressions"):
        lora_adapter_files._read_patterns(section, "alpha_pattern")


@pytest.mark.parametrize(("held", "given"), [(None, {"a": 1}), ({"a": 1}, None), (3, 4)])
def test_a_configuration_that_holds_another_value(held: Any, given: Any) -> None:
    hf_config = pytest.importorskip("xinference_internvl2.checkpoint.llm_hf_config")
    with pytest.raises(CheckpointError, match=f"SimpleNamespace holds x {held} in place of"):
        hf_config.check_kept(SimpleNamespace(x=held), {"x": given})
    hf_config.check_kept(SimpleNamespace(x={"a": 1, "b": 2}), {"x": {"a": 1}})


def test_a_wrong_value_is_noted_and_another_read_in_its_place() -> None:
    problems: list[CheckpointError] = []
    section = Section(FILE, "", {"a": [], "b": [], "c": [], "d": []}, problems)
    assert section.integer("a", 3, 5) == 3
    assert section.integer("a", 3, 5, 4) == 4
    assert section.number("b") == 1.0
    assert section.number("b", 2.0) == 2.0
    assert section.flag("c", True) is True
    assert section.choice("d", ("x", "y")) == "x"
    assert section.choice("d", ("x", "y"), "y") == "y"
    assert len(problems) == 7
