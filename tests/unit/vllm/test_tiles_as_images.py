"""vLLM's image processor takes our tiles as they are, and other images as ever."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from tests.support.chat.media import draw_picture
from xinference_internvl2.media.pixel_values import image_to_tiles, normalize
from xinference_internvl2.media.tiles import Tiling, cut_tiles
from xinference_internvl2.vllm.tiles_as_images import accept_stacks, stack_tiles


def cut_by_vllm(_: object, images: list[Image.Image], most: int) -> list[torch.Tensor]:
    """Stands for vLLM's function, which is there where vLLM is."""
    return [image_to_tiles(image, image_size=28, max_tiles=most) for image in images]


@pytest.mark.parametrize("most", [1, 6])
def test_a_stack_becomes_its_tiles(most: int) -> None:
    tiles = cut_tiles(draw_picture(300, 200), Tiling(28, max_tiles=most))
    (found,) = accept_stacks(cut_by_vllm)(None, [stack_tiles(tiles)], 12)
    assert torch.equal(found, normalize(tiles))


def test_an_image_is_cut_by_vllm() -> None:
    tiles = cut_tiles(draw_picture(30, 30), Tiling(28, max_tiles=1))
    image = draw_picture(300, 200)
    found = accept_stacks(cut_by_vllm)(None, [image, stack_tiles(tiles), image], 6)
    assert [len(each) for each in found] == [7, 1, 7]


def test_vllm_has_the_function_and_cuts_as_we_do() -> None:
    processors = pytest.importorskip("vllm.transformers_utils.processors.internvl")
    processor = processors.InternVLImageProcessor(28, 1, 6, True, True)
    image = draw_picture(300, 200)
    stack = stack_tiles(cut_tiles(image, Tiling(28, max_tiles=6)))
    cut = processors.InternVLImageProcessor._images_to_pixel_values_lst
    ours, theirs = accept_stacks(cut)(processor, [stack, image])
    assert (ours - theirs).abs().max() < 1e-6
