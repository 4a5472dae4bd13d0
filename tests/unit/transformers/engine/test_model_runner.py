"""Token by token generation, against transformers' own and against the definitions."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from tests.support.generate import generate_tokens, make_request, run_step
from tests.tiny import make_checkpoint, set_sliding_window, shorten_context
from xinference_internvl2.engine_outputs import TokenOutput
from xinference_internvl2.sampling_params import SamplingParams
from xinference_internvl2.transformers.engine.model_runner import ModelRunner
from xinference_internvl2.transformers.engine.sampler import SamplerState, sample
from xinference_internvl2.transformers.engine.sequence import Sequence
from xinference_internvl2.transformers.model.from_checkpoint import load_model


@pytest.fixture(scope="module", params=["qwen2", "internlm2", "phi3", "llama"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp(request.param), backbone=request.param)


def shortened(checkpoint: Path, length: int) -> Path:
    copy = Path(shutil.copytree(checkpoint, checkpoint.with_name(f"{checkpoint.name}-short")))
    shorten_context(copy, length)
    return copy


def ids_of(tokens: Iterable[TokenOutput]) -> list[int]:
    return [token.id for token in tokens]


def test_greedy_tokens_are_those_of_generate(checkpoint: Path) -> None:
    model = load_model(checkpoint, dtype="float32")
    ids = torch.tensor([[5, 6, 7, 8]])
    wanted = model.generate(input_ids=ids, max_new_tokens=24, do_sample=False)[0, 4:].tolist()
    assert ids_of(generate_tokens(model, ids, None, SamplingParams(24), [])) == wanted
    stop = wanted[7]
    cut = ids_of(generate_tokens(model, ids, None, SamplingParams(24), [stop]))
    assert cut == wanted[: wanted.index(stop)]


def test_dynamic_positions_are_those_of_generate(tmp_path: Path) -> None:
    """Also beyond the trained length, and after an answer that was longer."""
    path = make_checkpoint(tmp_path, backbone="internlm2", dtype="float32")
    shorten_context(path, 20)
    model = load_model(path)
    for length in (40, 16):
        ids = torch.arange(5, 5 + length)[None]
        found = ids_of(generate_tokens(model, ids, None, SamplingParams(24), []))
        wanted = load_model(path).generate(input_ids=ids, max_new_tokens=24, do_sample=False)
        assert found == wanted[0, length:].tolist()


def test_longrope_switches_for_all_positions_at_once(tmp_path: Path) -> None:
    """As if every token were computed without a cache, on both sides of the original length."""
    path = make_checkpoint(tmp_path, backbone="phi3", dtype="float32")
    shorten_context(path, 20)
    model = load_model(path)
    ids = torch.arange(5, 22)[None]
    answer = ids_of(generate_tokens(model, ids, None, SamplingParams(12), []))
    for token in answer:
        with torch.inference_mode():
            logits = model(input_ids=ids, use_cache=False).logits[0, -1]
        assert token == int(logits.argmax())
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)


def test_sampling(checkpoint: Path) -> None:
    model = load_model(checkpoint, dtype="float32")
    ids = torch.tensor([[5, 6, 7, 8]])

    def sample(**options: object) -> list[int]:
        sampling = SamplingParams(12, **{"temperature": 1.0, **options})  # type: ignore[arg-type]
        return ids_of(generate_tokens(model, ids, None, sampling, []))

    greedy = ids_of(generate_tokens(model, ids, None, SamplingParams(12), []))
    assert sample(seed=1) == sample(seed=1)
    assert len({tuple(sample(seed=seed)) for seed in range(5)}) > 1
    assert sample(seed=1, top_k=1) == greedy
    assert sample(seed=1, top_p=1e-6) == greedy
    assert sample(seed=1, temperature=1e-5) == greedy
    repeated = ids_of(
        generate_tokens(model, ids, None, SamplingParams(12, repetition_penalty=1e9), [])
    )
    assert len(set(repeated)) == 12


def test_penalties_count_the_answer_alone(checkpoint: Path) -> None:
    model = load_model(checkpoint, dtype="float32")
    prompt = torch.tensor([[5, 6, 7, 8]])
    sampling = SamplingParams(24, presence_penalty=-1.5, frequency_penalty=-1.0)
    answer = ids_of(generate_tokens(model, prompt, None, sampling, []))
    assert answer != ids_of(generate_tokens(model, prompt, None, SamplingParams(24), []))
    for count, token in enumerate(answer):
        said = answer[:count]
        with torch.inference_mode():
            ids = torch.cat([prompt, torch.tensor([said], dtype=torch.long)], dim=1)
            found = model(input_ids=ids).logits
        logits = found[0, -1].clone()
        for index in set(said):
            logits[index] += 1.5 + 1.0 * said.count(index)
        assert token == int(logits.argmax())


def test_logprobs_are_the_models_own(checkpoint: Path) -> None:
    model = load_model(checkpoint, dtype="float32")
    prompt = torch.tensor([[5, 6, 7, 8]])
    sampling = SamplingParams(6, temperature=1.5, seed=3, frequency_penalty=1.0, logprobs=4)
    answer = list(generate_tokens(model, prompt, None, sampling, []))
    with torch.inference_mode():
        ids = torch.cat([prompt, torch.tensor([ids_of(answer)])], dim=1)
        logprobs = model(input_ids=ids).logits[0, 3:-1].log_softmax(-1)
    for token, wanted in zip(answer, logprobs, strict=True):
        assert token.logprob == pytest.approx(float(wanted[token.id]), abs=1e-4)
        assert [index for index, _ in token.top] == wanted.topk(4).indices.tolist()
        assert [x for _, x in token.top] == pytest.approx(wanted.topk(4).values.tolist(), abs=1e-4)


def test_further_answers_have_the_seeds_that_follow(checkpoint: Path) -> None:
    model = load_model(checkpoint, dtype="float32")
    ids = torch.tensor([[5, 6, 7, 8]])

    def answer(seed: int, choice: int) -> list[int]:
        sampling = SamplingParams(12, temperature=1.0, seed=seed, n=choice + 1)
        return ids_of(generate_tokens(model, ids, None, sampling, [], choice))

    assert answer(1, 2) == answer(3, 0) != answer(1, 0)


def options(seed: int) -> SamplingParams:
    return SamplingParams(10 + seed, temperature=seed / 2, seed=seed, logprobs=2)


def begin(model: PreTrainedModel, ids: torch.Tensor, sampling: SamplingParams) -> Sequence:
    return make_request(model, ids, None, sampling).sequences[0]


def batches(runner: ModelRunner, sequences: list[Sequence]) -> list[list[Sequence]]:
    """Those that may share a step: the ones that have begun, where positions are encoded alike."""
    found: dict[object, list[Sequence]] = {}
    for sequence in sequences:
        encoding = runner.encoding(sequence.tokens)
        alone = not sequence.read or runner.switches(sequence.tokens) or encoding is None
        found.setdefault(id(sequence) if alone else encoding, []).append(sequence)
    return list(found.values())


def together(
    runner: ModelRunner, sequences: list[Sequence], late: Sequence
) -> list[list[TokenOutput]]:
    """Generate all of them, the last one from the fifth step on."""
    running: list[Sequence] = [*sequences]
    found: dict[Sequence, list[TokenOutput]] = {one: [] for one in [*sequences, late]}
    for count in itertools.count():
        running += [late] if count == 5 else []
        if not running:
            return list(found.values())
        for batch in batches(runner, running):
            for sequence, token in zip(batch, run_step(runner, batch), strict=True):
                found[sequence].append(token)
        running = [sequence for sequence in running if not sequence.is_over]


@pytest.mark.parametrize("limit", [None, 20])
def test_an_answer_does_not_depend_on_those_beside_it(checkpoint: Path, limit: int | None) -> None:
    """They begin and end at any time, and cross the length from which positions are encoded
    differently (20 tokens, if there is one) at any time."""
    model = load_model(shortened(checkpoint, limit) if limit else checkpoint, dtype="float32")
    prompts = [torch.arange(5, 5 + length)[None] for length in (4, 9, 14, 19, 21)]
    alone = [
        list(generate_tokens(model, ids, None, options(seed), []))
        for seed, ids in enumerate(prompts)
    ]
    *sequences, late = (begin(model, ids, options(seed)) for seed, ids in enumerate(prompts))
    found = together(ModelRunner(model), sequences, late)
    assert [ids_of(answer) for answer in found] == [ids_of(answer) for answer in alone]
    for ours, wanted in zip(itertools.chain(*found), itertools.chain(*alone), strict=True):
        assert ours.logprob == pytest.approx(wanted.logprob, abs=1e-4)


def test_a_batch_is_one_call_of_the_model(checkpoint: Path) -> None:
    model = load_model(checkpoint, dtype="float32")
    runner = ModelRunner(model)
    sequences = [begin(model, torch.tensor([[5, 6, 7]]), SamplingParams(4)) for _ in range(3)]
    for sequence in sequences:
        run_step(runner, [sequence])
    rows: list[int] = []
    model.lm_head.register_forward_hook(lambda _, inputs, output: rows.append(output.shape[1]))
    run_step(runner, sequences)
    assert rows == [3]


def test_a_batch_keeps_within_its_sliding_window(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, backbone="phi3", dtype="float32")
    set_sliding_window(path, 8)
    model = load_model(path)
    prompts = [torch.arange(5, 5 + length)[None] for length in (3, 7, 15)]
    alone = [ids_of(generate_tokens(model, ids, None, SamplingParams(12), [])) for ids in prompts]
    *sequences, late = (begin(model, ids, SamplingParams(12)) for ids in prompts)
    found = together(ModelRunner(model), sequences, late)
    assert [ids_of(answer) for answer in found] == alone


@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_numbers_that_are_not_finite_end_their_own_sequence_alone(number: float) -> None:
    logits = torch.randn(3, 50)
    logits[1, 3] = number
    states = [SamplerState(SamplingParams(4), 0, [5, 6], [], logits.device) for _ in range(3)]
    first, second, third = sample(logits, states)
    assert isinstance(first, TokenOutput)
    assert isinstance(third, TokenOutput)
    assert "not finite" in str(second)
