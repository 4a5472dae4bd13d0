"""The tokenizer that vLLM is given for our checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

import huggingface_hub

from tests.tiny import make_checkpoint
from xinference_internvl2.errors import CheckpointError
from xinference_internvl2.vllm.hf_config import InternVLChatConfig
from xinference_internvl2.vllm.tokenizer import load_ours

BACKBONES: Any = ("qwen2", "internlm2", "phi3", "llama")


@pytest.fixture(params=BACKBONES)
def checkpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "checkpoint", backbone=request.param)


@pytest.fixture
def load() -> Any:
    pytest.importorskip("vllm")
    return load_ours(lambda path, **_: f"vLLM's own of {path}")


def read_config(checkpoint: Path) -> InternVLChatConfig:
    values = json.loads((checkpoint / "config.json").read_text())
    return InternVLChatConfig(**{**values, "_name_or_path": str(checkpoint)})


def test_a_token_without_a_row_is_refused(load: Any, checkpoint: Path) -> None:
    """At the bound, and one beyond it."""
    config = read_config(checkpoint)
    rows = config.text_config.vocab_size
    assert len(load(checkpoint, config=config)) == rows
    config.text_config.vocab_size = 300
    with pytest.raises(CheckpointError, match=r"with the id 300, but llm_config\.vocab_size"):
        load(checkpoint, config=config)


def test_a_grammar_ends_with_the_stop_token(load: Any, checkpoint: Path) -> None:
    tokenizer = load(checkpoint, config=read_config(checkpoint))
    stop = "<|end|>" if "phi3" in read_config(checkpoint).template else "<|im_end|>"
    assert tokenizer.eos_token == stop
    assert tokenizer.convert_ids_to_tokens(tokenizer.eos_token_id) == stop


def test_other_models_keep_vllms_own(load: Any) -> None:
    assert load("elsewhere", config=object()) == load("elsewhere") == "vLLM's own of elsewhere"


@pytest.mark.parametrize("checkpoint", ["internlm2"], indirect=True)
def test_a_repository_is_downloaded_without_code_and_weights(
    load: Any, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub is out of reach here: what it is asked for."""
    asked: list[Any] = []

    def download(repository: str, **options: Any) -> str:
        asked.append((repository, options))
        return str(checkpoint)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    loaded = load("me/mine", config=read_config(checkpoint), revision="v1", download_dir="there")
    assert loaded.eos_token == "<|im_end|>"
    ((repository, options),) = asked
    assert (repository, options["revision"], options["cache_dir"]) == ("me/mine", "v1", "there")
    assert options["allow_patterns"] == ["*.json", "tokenizer.model", "merges.txt"]
