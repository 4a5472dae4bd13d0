"""Each position attends to those before it, as far as a window reaches."""

from __future__ import annotations

import pytest
import torch

from xinference_internvl2.transformers.model.attention_mask import build_row

EMBEDS = torch.zeros(1, 8, 16, dtype=torch.bfloat16)


def sees(position: int, key: int, window: int | None) -> bool:
    return key <= position and (window is None or position - key < window)


@pytest.mark.parametrize("window", [None, 2, 3, 6, 7, 8, 20])
@pytest.mark.parametrize("chunk", [range(7), range(3, 7), range(6, 8), range(1, 9)])
def test_a_mask_shows_what_lies_in_the_window(chunk: range, window: int | None) -> None:
    [found] = build_row([chunk], window, 1, EMBEDS)
    kept = [key for key in range(chunk.stop) if sees(chunk.start, key, window) or key in chunk]
    seen = [[sees(position, key, window) for key in kept] for position in chunk]
    if found.mask is None:
        assert chunk.start == 0
        assert all(sum(row) == index + 1 for index, row in enumerate(seen))
    else:
        assert (found.mask[0, 0] == 0).tolist() == seen
        assert (found.mask[0, 0] != 0).equal(found.mask[0, 0].isneginf())


@pytest.mark.parametrize(("window", "masked"), [(None, False), (7, False), (6, True)])
def test_the_first_positions_need_no_mask_where_a_window_holds_them(
    window: int | None, masked: bool
) -> None:
    [found] = build_row([range(7)], window, 1, EMBEDS)
    assert (found.mask is not None) == masked


@pytest.mark.parametrize("window", [None, 3])
def test_one_position_needs_no_mask(window: int | None) -> None:
    [found] = build_row([range(6, 7)], window, 2, EMBEDS)
    assert (found.count, found.mask) == (1, None)


def test_a_mask_is_there_for_each_head_of_a_group_in_the_type_of_what_is_read() -> None:
    first, other = build_row([range(2, 5), range(1, 3)], None, 3, EMBEDS)
    assert first.mask is not None
    assert other.mask is not None
    assert (first.mask.shape, first.mask.dtype) == ((1, 1, 9, 5), torch.bfloat16)
    assert other.mask.shape == (1, 1, 6, 3)
    one, *others = first.mask[0, 0].split(3)
    assert all(each.equal(one) for each in others)
