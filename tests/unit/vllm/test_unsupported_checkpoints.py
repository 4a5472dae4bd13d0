"""What vLLM cannot compute as Transformers does is refused by field and value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from tests.tiny import edit_config, make_checkpoint
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.vllm.unsupported_checkpoints import check_computable

BACKBONES: Any = ("qwen2", "internlm2", "phi3", "llama")
Change = Callable[[dict[str, Any]], Any]


def top(**values: Any) -> Change:
    return lambda config: config.update(values)


def llm(**values: Any) -> Change:
    return lambda config: config["llm_config"].update(values)


REFUSED: dict[str, tuple[Change, str]] = {
    "first layers": (top(select_layer=1), "select_layer is 1, but"),
    "last but one": (top(select_layer=-2), "select_layer is -2, but"),
    "tiles": (
        top(force_image_size=56),
        "force_image_size is 56, but vLLM's model of InternVL takes vision_config.image_size, 112",
    ),
    "two tiles": (top(min_dynamic_patch=2), "min_dynamic_patch is 2, but"),
    "window": (
        llm(sliding_window=31, use_sliding_window=True, max_position_embeddings=32),
        "llm_config.sliding_window is 31, but vLLM's model of InternVL takes 32 or more alone",
    ),
}
HAS_WINDOW = ("qwen2", "phi3")


@pytest.fixture(scope="module", params=BACKBONES)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("unsupported") / request.param
    return make_checkpoint(folder, backbone=request.param)


def changed(checkpoint: Path, folder: Path, change: Change) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text((checkpoint / "config.json").read_text())
    edit_config(folder, change)
    return folder


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_field_and_value(checkpoint: Path, tmp_path: Path, case: str) -> None:
    change, sentence = REFUSED[case]
    found = read_config(changed(checkpoint, tmp_path / "changed", change))
    if case == "window" and not found.backbone.has_sliding_window:
        check_computable(found)  # a field that this language model does not read
        return
    with pytest.raises(CheckpointError) as caught:
        check_computable(found)
    assert sentence in str(caught.value)
    assert str(caught.value).endswith("launch it with the Transformers engine")


SAME: list[Change] = [
    top(),
    top(select_layer=-1, min_dynamic_patch=1),
    top(force_image_size=None),
    top(min_dynamic_patch=3, dynamic_image_size=False),
    llm(sliding_window=32, use_sliding_window=True, max_position_embeddings=32),
    llm(sliding_window=None),
]


@pytest.mark.parametrize("change", SAME)
def test_what_both_engines_compute_alike_is_not(
    checkpoint: Path, tmp_path: Path, change: Change
) -> None:
    check_computable(read_config(changed(checkpoint, tmp_path / "changed", change)))


def test_biases_of_internlm2(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "checkpoint", backbone="internlm2")
    edit_config(path, llm(bias=True))
    with pytest.raises(CheckpointError, match=r"llm_config.bias is true, but .* takes false"):
        check_computable(read_config(path))
