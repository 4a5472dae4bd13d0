"""The language model's attention is that of transformers, for one answer and for several."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from tests.support.generate import generate_tokens
from tests.tiny import make_checkpoint
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.model import attention
from xinference_internvl2.transformers.model.attention import attend
from xinference_internvl2.transformers.model.attention_mask import build_row
from xinference_internvl2.transformers.model.from_checkpoint import load_model


@pytest.mark.parametrize("heads", [(14, 2), (4, 4), (8, 1)])
@pytest.mark.parametrize("positions", [1, 5])
def test_attention_is_that_of_transformers(heads: tuple[int, int], positions: int) -> None:
    query = torch.randn(1, heads[0], positions, 64)
    key, value = (torch.randn(1, heads[1], 9, 64) for _ in range(2))
    module: Any = SimpleNamespace(num_key_value_groups=heads[0] // heads[1], is_causal=True)
    causal = torch.ones(positions, 9, dtype=torch.bool).tril(9 - positions)[None, None]
    chunk = build_row([range(9 - positions, 9)], None, heads[0] // heads[1], query)[0]
    assert (chunk.mask is None) == (positions == 1)
    ours, _ = attend(module, query, [key], [value], [chunk], scaling=0.2)
    theirs, _ = sdpa_attention_forward(module, query, key, value, causal, scaling=0.2)
    assert ours.shape == theirs.shape
    assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("heads", [(14, 2), (4, 4)])
def test_each_of_several_sequences_attends_to_its_own_keys(heads: tuple[int, int]) -> None:
    """One position, several that are the first, and several that follow others."""
    module: Any = SimpleNamespace(num_key_value_groups=heads[0] // heads[1], is_causal=True)
    follow = torch.ones(3, 9, dtype=torch.bool).tril(6)[None, None]
    masks, ranges = [None, None, follow, None], [range(3, 4), range(5), range(6, 9), range(6, 7)]
    keys, values = ([torch.randn(1, heads[1], n, 64) for n in (4, 5, 9, 7)] for _ in range(2))
    query = torch.randn(1, heads[0], 10, 64)
    chunks = build_row(ranges, None, heads[0] // heads[1], query)
    ours, _ = attend(module, query, keys, values, chunks, scaling=0.2)
    theirs = [
        sdpa_attention_forward(module, *row, mask, scaling=0.2)[0]
        for mask, *row in zip(masks, query.split([1, 5, 3, 1], 2), keys, values, strict=True)
    ]
    assert torch.allclose(ours, torch.cat(theirs, dim=1), atol=1e-5)


@pytest.mark.parametrize("backbone", ["qwen2", "internlm2", "phi3", "llama"])
def test_every_backbone_decodes_with_it(
    tmp_path: Path, backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_checkpoint(tmp_path, backbone=backbone, dtype="float32")
    plain, model = load_model(path), load_model(path)
    plain.model.language_model.set_attn_implementation("sdpa")
    grouped = []

    def counted(*args: Any, **options: Any) -> Any:
        grouped.append(args[0].shape)
        return scaled_dot_product_attention(*args, **options)

    monkeypatch.setattr(attention, "scaled_dot_product_attention", counted)
    ids, asked = torch.arange(20, 60)[None], SamplingParams(8, temperature=0)
    ours = [token.id for token in generate_tokens(model, ids, None, asked, [])]
    theirs = plain.generate(input_ids=ids, max_new_tokens=8, do_sample=False)[0, 40:].tolist()
    assert ours == theirs
    assert len(grouped) == 7 * model.config.text_config.num_hidden_layers
