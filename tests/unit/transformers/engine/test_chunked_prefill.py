"""A prompt read in chunks is read as in one, and lets running sequences go on."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from tests.support.generate import make_request, prefill, run_step
from tests.tiny import make_checkpoint, set_sliding_window, shorten_context
from xinference_internvl2.engine_outputs import TokenOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine import model_runner, scheduler
from xinference_internvl2.transformers.engine.async_engine import AsyncEngine
from xinference_internvl2.transformers.engine.model_runner import ModelRunner
from xinference_internvl2.transformers.engine.sampler import sample
from xinference_internvl2.transformers.engine.sequence import Sequence
from xinference_internvl2.transformers.model.from_checkpoint import load_model
from xinference_internvl2.transformers.model.speed_up import speed_up

from .conftest import Steps, ids, run, started, tokens_of, until


@pytest.fixture(scope="module", params=["qwen2", "internlm2", "phi3", "llama"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    return make_checkpoint(folder, backbone=request.param, dtype="float32")


def read(
    monkeypatch: pytest.MonkeyPatch, model: PreTrainedModel, chunk: int, *prompt: Any
) -> tuple[torch.Tensor, list[int]]:
    """The logits after a prompt that is read in chunks, and the tokens after it."""
    monkeypatch.setattr(scheduler, "CHUNK", chunk)
    runner = ModelRunner(model)
    (sequence,) = make_request(model, *prompt, SamplingParams(6)).sequences
    logits = prefill(runner, sequence)
    (first,) = sample(logits, [sequence.sampler])
    assert isinstance(first, TokenOutput)
    sequence.accept(first)
    tokens = [first.id]
    while not sequence.is_over:
        tokens += [token.id for token in run_step(runner, [sequence])]
    return logits, tokens


def compare(
    monkeypatch: pytest.MonkeyPatch, model: PreTrainedModel, chunk: int, *prompt: Any
) -> None:
    logits, tokens = read(monkeypatch, model, chunk, *prompt)
    whole, wanted = read(monkeypatch, model, 10**6, *prompt)
    assert torch.allclose(logits, whole, atol=1e-4)
    assert tokens == wanted


@pytest.mark.parametrize("chunk", [1, 7, 13, 26, 27])
def test_pieces_of_a_text_give_the_same(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    compare(monkeypatch, load_model(checkpoint), chunk, torch.arange(5, 31)[None], None)


@pytest.mark.parametrize("chunk", [3, 5, 1000])
@pytest.mark.parametrize("tiles_at_once", [1, 2])
def test_pieces_of_pictures_give_the_same(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, tiles_at_once: int
) -> None:
    """Also where a chunk ends within a tile."""
    model = load_model(checkpoint)
    config = model.config
    size, count = config.vision_config.image_size[0], config.image_seq_length
    image = [config.image_token_id] * count
    prompt = torch.tensor([[5, *image, *image, 6, *image, 7, 8]])
    pixels = torch.randn(3, 3, size, size)
    monkeypatch.setattr(model_runner, "TILES_AT_ONCE", tiles_at_once)
    compare(monkeypatch, model, chunk, prompt, pixels)
    embeds = model.get_input_embeddings()(prompt)
    features = model.get_image_features(pixels).pooler_output
    embeds = embeds.masked_scatter((prompt == config.image_token_id)[..., None], features)
    with torch.inference_mode():
        wanted = model(inputs_embeds=embeds).logits[:, -1]
    logits, _ = read(monkeypatch, model, chunk, prompt, pixels)
    assert torch.allclose(logits, wanted, atol=1e-4)


def begin_with_pictures(model: PreTrainedModel, tiles: int, most: int = 1) -> Sequence:
    """A sequence of four tokens, and of those of pictures."""
    size = model.config.vision_config.image_size[0]
    image = [model.config.image_token_id] * model.config.image_seq_length * tiles
    pixels = torch.zeros(tiles, 3, size, size)
    prompt = torch.tensor([[5, 6, 7, 8, *image]])
    return make_request(model, prompt, pixels, SamplingParams(most)).sequences[0]


@pytest.mark.parametrize(("chunk", "tiles"), [(4, 0), (5, 1)])
def test_a_tile_is_looked_at_for_the_first_piece_that_has_a_token_of_it(
    tiny: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, chunk: int, tiles: int
) -> None:
    monkeypatch.setattr(scheduler, "CHUNK", chunk)
    sequence = begin_with_pictures(tiny, 1)
    ModelRunner(tiny).prefill([sequence])
    assert (len(sequence.request.prompt.features), sequence.read) == (tiles, 0 if tiles else 4)


def test_so_many_tiles_are_looked_at_in_one_step(tiny: PreTrainedModel) -> None:
    sequence, runner = begin_with_pictures(tiny, 3), ModelRunner(tiny)
    for tiles in (2, 3):
        assert not runner.prefill([sequence])
        assert len(sequence.request.prompt.features) == tiles
    assert runner.prefill([sequence])


@pytest.mark.parametrize(("beyond", "kept"), [(-1, 0), (0, 1), (1, 1), (2, 0)])
def test_pictures_are_kept_only_where_all_may_have_to_be_read_again(
    tiny: PreTrainedModel, beyond: int, kept: int
) -> None:
    """The length up to which positions are encoded alike lies `beyond` that of the prompt, after
    which two tokens may follow."""
    sequence, runner = begin_with_pictures(tiny, 1, most=2), ModelRunner(tiny)
    runner.fixed_length = sequence.tokens + beyond
    prefill(runner, sequence)
    prompt = sequence.request.prompt
    assert len(prompt.tiles) == len(prompt.features) == kept


@pytest.mark.parametrize("length", [19, 20, 21, 33])
def test_positions_are_encoded_for_the_whole_prompt(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """Beyond 20 tokens, differently; the first chunk is shorter than that."""
    path = Path(shutil.copytree(checkpoint, tmp_path / "short"))
    shorten_context(path, 20)
    model, prompt = load_model(path), torch.arange(5, 5 + length)[None]
    compare(monkeypatch, model, 8, prompt, None)
    with torch.inference_mode():
        wanted = load_model(path)(input_ids=prompt).logits[:, -1]
    assert torch.allclose(read(monkeypatch, model, 8, prompt, None)[0], wanted, atol=1e-4)


@pytest.mark.parametrize("window", [3, 8, 9])
def test_pieces_keep_within_a_sliding_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    path = make_checkpoint(tmp_path, backbone="phi3", dtype="float32")
    set_sliding_window(path, window)
    model, prompt = load_model(path), torch.arange(5, 25)[None]
    with torch.inference_mode():
        wanted = model(input_ids=prompt, use_cache=False).logits[:, -1]
    for chunk in (1, 5, 8, 9, 30):
        assert torch.allclose(read(monkeypatch, model, chunk, prompt, None)[0], wanted, atol=1e-4)


def test_a_running_sequence_gets_a_token_between_two_pieces(
    tiny: PreTrainedModel, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And between two tiles."""
    monkeypatch.setattr(scheduler, "CHUNK", 4)
    config = tiny.config
    size, tiles = config.vision_config.image_size[0], 3
    image = [config.image_token_id] * config.image_seq_length * tiles

    async def ask(engine: AsyncEngine) -> None:
        first = asyncio.create_task(tokens_of(engine, 0, 9999))
        await until(lambda: steps.decoded(0) > 2)
        pictures = [np.zeros((3, size, size), np.float32) for _ in range(tiles)]
        assert len(await tokens_of(engine, 1, 3, image=image, tiles=pictures)) == 3
        first.cancel()

    with started(tiny) as engine:
        run(ask(engine))
    kinds = [kind for kind, _ in steps.log]
    start = steps.log.index(("prefill", (len(ids(1)) - len(ids(0)) + len(image),)))
    read = [kind for kind in kinds[start:] if kind == "prefill"]
    assert len(read) == tiles + -(-(len(ids(1)) + len(image)) // 4)
    reading = kinds[start : start + 2 * len(read) - 1]
    assert reading == [*["prefill", "decode"] * (len(read) - 1), "prefill"]


def test_several_prompts_are_read_as_each_alone(checkpoint: Path) -> None:
    """One of them for the most part before, and one with a picture."""
    model = load_model(checkpoint)
    speed_up(model)
    side, count = model.config.vision_config.image_size[0], model.config.image_seq_length
    tokens = [[5, 6, 7], [8, *range(20, 40)], [9, *[model.config.image_token_id] * count, 9]]
    pixels = [None, None, torch.rand(1, 3, side, side)]
    runner = ModelRunner(model)

    def begin() -> list[Sequence]:
        asked = zip(tokens, pixels, strict=True)
        made = [make_request(model, torch.tensor([i]), p, SamplingParams(6)) for i, p in asked]
        return [one.sequences[0] for one in made]

    alone, together = begin(), begin()
    wanted = [prefill(runner, one) for one in alone]
    together[1].kv = alone[1].kv.copy(13, 32) if alone[1].kv else None
    found = runner.prefill(together)  # looks at the picture
    assert [one for one, _ in found] == together[:2]
    found += runner.prefill(together[2:])
    for (_, logits), right in zip(found, wanted, strict=True):
        assert torch.allclose(logits, right, atol=1e-4)


def test_what_is_read_together_fits_into_a_piece(
    tiny: PreTrainedModel, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "CHUNK", len(ids(1)) + len(ids(2)))
    asked = threading.Event()

    def wait(kind: str, sequences: Any) -> None:
        asked.wait(60)

    steps.before = wait

    async def ask(engine: AsyncEngine) -> Any:
        first = asyncio.create_task(tokens_of(engine, 0, 6))
        await until(lambda: bool(steps.log))
        others = [asyncio.create_task(tokens_of(engine, number, 6)) for number in (1, 2, 3)]
        await until(lambda: len(engine._streams) == 4)
        asked.set()
        return await asyncio.gather(first, *others)

    with started(tiny, prefix_cache_bytes=0) as engine:
        found = run(ask(engine))
        read = [sorted(numbers) for kind, numbers in steps.log if kind == "prefill"]
        alone = [run(tokens_of(engine, number, 6)) for number in range(4)]
    assert found == alone
    assert sorted(read) == [[0], [1, 2], [3]]
