"""The control tokens of the published tokenizers."""

from __future__ import annotations

from xinference_internvl2.checkpoint.backbones import BACKBONES
from xinference_internvl2.tokenizer.control_token_table import BY_BACKBONE
from xinference_internvl2.tokenizer.image_tokens import REQUIRED


def test_every_backbone_has_some() -> None:
    assert set(BY_BACKBONE) == set(BACKBONES)
    for tokens in BY_BACKBONE.values():
        assert tokens >= {*REQUIRED}
