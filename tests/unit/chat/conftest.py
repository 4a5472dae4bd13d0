"""A checkpoint that is served, for what a request goes through without an engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from xinference.model.llm.media import load_media_bytes

from tests.tiny import make_checkpoint
from xinference_internvl2.chat.served_checkpoint import ServedCheckpoint
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.families.find_prompt_format import find_prompt_format
from xinference_internvl2.media.limits import MediaLimits
from xinference_internvl2.tokenizer.tokenizer import InternVL2Tokenizer, load_tokenizer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ServedCheckpoint:
    path: Path = make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2")
    config = read_config(path)
    return ServedCheckpoint(
        config,
        load_tokenizer(path),
        find_prompt_format(config.template),
        4096,
        MediaLimits(config.max_tiles),
        load_media_bytes,
    )


@pytest.fixture(scope="module", params=["qwen2", "internlm2", "phi3", "llama"])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> InternVL2Tokenizer:
    path = make_checkpoint(tmp_path_factory.mktemp(request.param), backbone=request.param)
    return load_tokenizer(path)
