"""What a prompt has in common with an earlier one is not read again, and nothing else is taken."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.support.generate import make_request, run_step
from tests.tiny import make_checkpoint, set_sliding_window, shorten_context
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.engine_outputs import TokenOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.model_runner import ModelRunner
from xinference_internvl2.transformers.engine.prefix_cache import PrefixCache
from xinference_internvl2.transformers.engine.sequence import Sequence
from xinference_internvl2.transformers.model.from_checkpoint import load_model

SAMPLING = SamplingParams(6, logprobs=0)


@pytest.fixture(scope="module", params=["qwen2", "internlm2", "phi3", "llama"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    return make_checkpoint(folder, backbone=request.param, dtype="float32")


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> PreTrainedModel:
    return load_model(checkpoint)


class Pictures:
    """Prompts about pictures for a checkpoint."""

    def __init__(self, checkpoint: Path) -> None:
        config = read_config(checkpoint)
        self.tokens, self.size = config.tokens_per_tile, config.tile_size

    def prompt(self, model: PreTrainedModel, tiles: int, *text: int) -> torch.Tensor:
        image = [model.config.image_token_id] * self.tokens * tiles
        return torch.tensor([[7, 8, *image, *text]])

    def tiles(self, *seeds: int) -> torch.Tensor:
        shape = (3, self.size, self.size)
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds]
        return torch.stack(noise)


@pytest.fixture(scope="module")
def pictures(checkpoint: Path) -> Pictures:
    return Pictures(checkpoint)


def finish(runner: ModelRunner, sequence: Sequence) -> list[TokenOutput]:
    found: list[TokenOutput] = []
    while not sequence.is_over:
        found += run_step(runner, [sequence])
    return found


def begin(
    runner: ModelRunner, *prompt: Any, earlier: Sequence | None = None, **options: Any
) -> Sequence:
    """A sequence with what it has in common with an earlier one."""
    (sequence,) = make_request(runner.model, *prompt, SAMPLING, **options).sequences
    cache = PrefixCache(0, runner.fixed_length)
    known = [(earlier.keys, earlier.kv)] if earlier and earlier.kv else []
    if found := cache.find(sequence.keys, known):
        kv, tokens = found
        sequence.kv = kv.copy(tokens, sequence.capacity)
    return sequence


def ask(
    model: PreTrainedModel, *prompt: Any, earlier: Sequence | None = None, **options: Any
) -> tuple[Sequence, list[TokenOutput]]:
    runner = ModelRunner(model)
    sequence = begin(runner, *prompt, earlier=earlier, **options)
    return sequence, finish(runner, sequence)


def ids_of(sequence: Sequence) -> torch.Tensor:
    return torch.tensor([sequence.token_ids])


class Work:
    """How many tiles and tokens the two models read."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.tiles = self.tokens = 0

        def looked(module: Any, args: Any, options: Any, output: Any) -> None:
            self.tiles += len(options["pixel_values"])

        def read(module: Any, args: Any, options: Any, output: Any) -> None:
            self.tokens += output.shape[1]

        inner = model.model
        self._hooks = [
            inner.vision_tower.register_forward_hook(looked, with_kwargs=True),
            inner.language_model.layers[0].register_forward_hook(read, with_kwargs=True),
        ]

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *exception: object) -> None:
        for hook in self._hooks:
            hook.remove()


def same(ours: list[TokenOutput], wanted: list[TokenOutput]) -> None:
    assert [token.id for token in ours] == [token.id for token in wanted]
    logprobs = [token.logprob for token in wanted]
    assert [token.logprob for token in ours] == pytest.approx(logprobs, abs=1e-4)


def test_the_next_question_of_a_conversation_reads_its_own_tokens(
    model: PreTrainedModel, pictures: Pictures
) -> None:
    tiles = pictures.tiles(1, 2)
    first = pictures.prompt(model, 2, 9, 10)
    before, _ = ask(model, first, tiles)
    # The answer but for its last token, which has not been read, and a question.
    ids = torch.cat([ids_of(before), torch.tensor([[11, 12, 13]])], dim=1)
    _, wanted = ask(model, ids, tiles)
    with Work(model) as work:
        after, found = ask(model, ids, tiles, earlier=before)
    same(found, wanted)
    assert work.tiles == 0
    assert work.tokens == 1 + 3 + SAMPLING.max_tokens - 1
    # And the one after it.
    ids = torch.cat([ids_of(after), torch.tensor([[14]])], dim=1)
    same(ask(model, ids, tiles, earlier=after)[1], ask(model, ids, tiles)[1])


def test_a_repeated_question_reads_its_last_token(
    model: PreTrainedModel, pictures: Pictures
) -> None:
    question = pictures.prompt(model, 2, 9, 10), pictures.tiles(1, 2)
    before, wanted = ask(model, *question)
    with Work(model) as work:
        _, found = ask(model, *question, earlier=before)
    same(found, wanted)
    assert (work.tiles, work.tokens) == (0, SAMPLING.max_tokens)


def test_a_further_picture_is_looked_at_alone(model: PreTrainedModel, pictures: Pictures) -> None:
    before, _ = ask(model, pictures.prompt(model, 2, 9), pictures.tiles(1, 2))
    three = pictures.prompt(model, 3, 9), pictures.tiles(1, 2, 3)
    _, wanted = ask(model, *three)
    with Work(model) as work:
        _, found = ask(model, *three, earlier=before)
    same(found, wanted)
    assert work.tiles == 1


@pytest.mark.parametrize("seeds", [(3, 4), (2, 1), (1, 3)])
def test_other_pictures_are_looked_at(
    model: PreTrainedModel, pictures: Pictures, seeds: tuple[int, ...]
) -> None:
    """Their prompts have the same tokens."""
    ids = pictures.prompt(model, 2, 9, 10)
    before, others = ask(model, ids, pictures.tiles(1, 2))
    _, wanted = ask(model, ids, pictures.tiles(*seeds))
    _, found = ask(model, ids, pictures.tiles(*seeds), earlier=before)
    same(found, wanted)
    assert [token.logprob for token in found] != [token.logprob for token in others]


def test_an_earlier_sequence_goes_on_untouched(model: PreTrainedModel, pictures: Pictures) -> None:
    question = pictures.prompt(model, 1, 9, 10), pictures.tiles(1)
    _, wanted = ask(model, *question)
    runner = ModelRunner(model)
    sequence = begin(runner, *question)
    first = run_step(runner, [sequence])
    other = torch.cat([question[0][:, :-1], torch.tensor([[13, 14]])], dim=1)
    _, found = ask(model, other, question[1], earlier=sequence)
    same(found, ask(model, other, question[1])[1])
    same(first + finish(runner, sequence), wanted)


@pytest.mark.parametrize(
    ("salts", "shared"), [(("a", "a"), True), (("a", "b"), False), (("a", None), False)]
)
def test_only_who_has_the_same_salt_shares(
    model: PreTrainedModel, salts: tuple[str, str | None], shared: bool
) -> None:
    """Or the time of an answer would tell what others have asked."""
    ids = torch.arange(20, 40)[None]
    before, _ = ask(model, ids, None, salt=salts[0])
    after = begin(ModelRunner(model), ids, None, salt=salts[1], earlier=before)
    assert after.read == (19 if shared else 0)


@pytest.mark.parametrize(
    ("adapters", "shared"), [(("a", "a"), True), (("a", "b"), False), (("a", None), False)]
)
def test_only_who_has_the_same_adapter_shares(
    model: PreTrainedModel, adapters: tuple[str, str | None], shared: bool
) -> None:
    ids = torch.arange(20, 40)[None]
    first, second = (
        make_request(model, ids, None, SAMPLING, adapter=adapter).sequences[0].keys
        for adapter in adapters
    )
    assert (first == second) is shared


@pytest.mark.parametrize("lengths", [(18, 22), (22, 23), (26, 18)])
def test_lengths_with_other_positions_share_nothing(
    checkpoint: Path, tmp_path: Path, lengths: tuple[int, int]
) -> None:
    """Beyond 20 tokens, where positions are encoded for the length of the whole."""
    path = Path(shutil.copytree(checkpoint, tmp_path / "short"))
    shorten_context(path, 20)
    model = load_model(path)
    first, second = (torch.arange(5, 5 + length)[None] for length in lengths)
    before, _ = ask(model, first, None)
    after, found = ask(model, second, None, earlier=before)
    same(found, ask(model, second, None)[1])
    assert after.tokens == lengths[1] + SAMPLING.max_tokens


def test_what_has_left_a_sliding_window_is_not_taken(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, backbone="phi3", dtype="float32")
    set_sliding_window(path, 16)
    model = load_model(path)
    assert model.config.text_config.sliding_window == 16
    for length in (8, 15, 24):
        first = torch.arange(5, 5 + length)[None]
        before, _ = ask(model, first, None)
        for kept in (ids_of(before), ids_of(before)[:, :-3]):
            second = torch.cat([kept, torch.tensor([[40, 41]])], dim=1)
            same(ask(model, second, None, earlier=before)[1], ask(model, second, None)[1])
