"""The rotary position embedding: how long a text it can encode."""

from __future__ import annotations

from pathlib import Path

from tests.tiny import make_checkpoint
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.checkpoint.rope import trained_length


def test_the_context_length_is_what_the_model_was_trained_on(tmp_path: Path) -> None:
    trained = {}
    for backbone in ("qwen2", "internlm2", "phi3", "llama"):
        path = make_checkpoint(tmp_path / backbone, backbone=backbone)  # type: ignore[arg-type]
        config = read_config(path)
        trained[backbone] = trained_length(config.llm, 10**6) == 10**6
    assert trained == {"qwen2": False, "internlm2": True, "phi3": True, "llama": False}
