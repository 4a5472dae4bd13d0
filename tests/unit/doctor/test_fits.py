"""What fits which device, with which context, and what is the best choice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xinference_internvl2.doctor.byte_sizes import format_size
from xinference_internvl2.doctor.devices import Device
from xinference_internvl2.doctor.fits import (
    ANSWER,
    CPU_WEIGHTS,
    LIBRARIES,
    STEP,
    Fit,
    choose_best,
    judge_fit,
    list_fits,
    refuse_pictures,
)
from xinference_internvl2.doctor.installation import Engine
from xinference_internvl2.doctor.launch_command import build_launch_command
from xinference_internvl2.families.memory_estimate import Memory, Use
from xinference_internvl2.families.records import SpecRuntime

MEMORY = Memory({"none": 10**10}, 10**5, 10**5, 10**4, 10**3, 10**7, 10**6)
SPEC = SpecRuntime("pytorch", 8, {"Transformers": ("none",), "vLLM": ("none",)}, MEMORY)
BOTH = [Engine("Transformers", {}, None, {}), Engine("vLLM", {}, None, {})]


def card(size: int, free: int | None = None) -> Device:
    return Device("gpu", "A card", size, size if free is None else free)


def cpu(size: int) -> Device:
    return Device("cpu", "CPU", size, size)


def fit(machine: list[Device], use: Use, engine: str = "Transformers") -> Fit:
    return judge_fit(machine, use, "internvl2", SPEC, MEMORY, engine, "none")


def test_what_fits_to_the_byte_fits_and_a_byte_less_shortens_the_context() -> None:
    use = Use()
    needed = MEMORY.total("none", use) + LIBRARIES
    whole = fit([card(needed)], use)
    assert whole.verdict == "fits"
    assert "--n-gpu" not in build_launch_command(whole)
    shorter = fit([card(needed - 1)], use)
    assert shorter.context == 8192 - STEP
    assert shorter.verdict == f"fits with a context of {8192 - STEP}"
    assert f"--context_length {8192 - STEP}" in build_launch_command(shorter)


def test_the_shortest_context_holds_the_pictures_and_an_answer() -> None:
    least = -(-(Use().picture_tokens + ANSWER) // STEP) * STEP
    needed = MEMORY.total("none", Use(least)) + LIBRARIES
    assert fit([card(needed)], Use()).context == least
    assert fit([card(needed - 1)], Use()).verdict == "does not fit"


def test_a_context_between_two_steps_is_shortened_to_the_lower_one() -> None:
    needed = MEMORY.total("none", Use(8192)) + LIBRARIES
    assert fit([card(needed)], Use(8192 + STEP - 1)).context == 8192
    assert fit([card(needed - 1)], Use(8192 + STEP - 1)).context == 8192 - STEP
    whole = Use(8192 + STEP - 1)
    assert fit([card(MEMORY.total("none", whole) + LIBRARIES)], whole).context == whole.context


@pytest.mark.timeout(10)
@pytest.mark.parametrize("steps", [13 * 256 // STEP + 3, 1000, 4 * 10**6])
def test_the_longest_context_is_found_quickly_however_long_the_asked_one(steps: int) -> None:
    use = Use(999_999_999 * 1024)
    needed = MEMORY.total("none", Use(steps * STEP)) + LIBRARIES
    assert fit([card(needed)], use).context == steps * STEP
    assert fit([card(needed - 1)], use).context == (steps - 1) * STEP


def test_vllm_takes_nine_tenths_of_a_card_and_no_more_than_is_free() -> None:
    needed = MEMORY.total("none", Use(), "vLLM") + LIBRARIES
    size = -(-needed * 10 // 9)
    assert fit([card(size)], Use(), "vLLM").verdict == "fits"
    assert fit([card(size - 2)], Use(), "vLLM").verdict != "fits"
    assert fit([card(2 * size, needed - 1)], Use(), "vLLM").verdict != "fits"


def test_cards_share_weights_and_keys() -> None:
    use = Use()
    each = MEMORY.total("none", use, devices=2) + LIBRARIES
    two = fit([card(each)] * 3, use)
    assert two.verdict == "fits on 2 cards"
    assert "--n-gpu 2" in build_launch_command(two)
    assert fit([card(each)] * 2, use) == two
    assert fit([card(each)], use).devices != 2


def test_a_card_beyond_those_that_are_used_may_be_full() -> None:
    use, full = Use(), card(LIBRARIES)
    one = card(MEMORY.total("none", use) + LIBRARIES)
    two = [card(MEMORY.total("none", use, devices=2) + LIBRARIES)] * 2
    assert fit([one, full], use).verdict == "fits"
    assert fit([*two, full, full], use).verdict == "fits on 2 cards"
    assert fit([two[0], full], use).verdict == "does not fit"


def test_more_answers_take_more_keys_and_nothing_else() -> None:
    one, four = Use(), Use(answers=4)
    keys = MEMORY.kv_cache_per_token * 8192
    assert MEMORY.total("none", four) - MEMORY.total("none", one) == 3 * keys


def test_four_full_pictures_do_not_fit_a_context_of_8192() -> None:
    message = refuse_pictures(Use(8192, 4))
    assert message
    assert "13,312 tokens" in message
    assert "--context 13824" in message
    assert refuse_pictures(Use(13824, 4)) is None
    assert refuse_pictures(Use(13312, 4))
    assert refuse_pictures(Use(13313, 4)) is None


def test_gigabytes_are_told_from_gibibytes() -> None:
    assert format_size(24 * (1 << 30)) == "25.8 GB (24.0 GiB)"


def test_every_checkpoint_on_every_engine_that_serves_it() -> None:
    found = list_fits([card(10**12)], Use())
    assert {f.verdict for f in found} == {"fits"}
    # Of internvl2, of InternVL2.5 twice, and of internvl-chat, but for a size that is not known.
    assert len(found) == (7 * 4 + 5 * 2) * 3 + 2 * 4
    assert {f.engine for f in found if f.quantization == "4-bit"} == {"Transformers"}


@pytest.mark.parametrize(
    ("size", "chosen"),
    [
        (24 * 10**9, ("vLLM", "8", "none")),
        (40 * 10**9, ("vLLM", "40", "Int4")),
        (4 * 10**9, ("vLLM", "1", "none")),
    ],
)
def test_the_best_on_a_card(size: int, chosen: tuple[str, str, str]) -> None:
    found = choose_best(list_fits([card(size)], Use()), BOTH, [card(size)])
    assert found
    assert (found.engine, found.size, found.quantization) == chosen


def test_on_a_cpu_the_best_is_one_that_answers_in_time() -> None:
    machine = [cpu(256 * 10**9)]
    found = choose_best(list_fits(machine, Use()), BOTH, machine)
    assert found
    assert (found.engine, found.size, found.quantization) == ("Transformers", "2", "none")


@pytest.mark.parametrize(("weights", "chosen"), [(CPU_WEIGHTS, "8"), (CPU_WEIGHTS + 1, "2")])
def test_how_large_a_model_may_be_to_answer_in_time(weights: int, chosen: str) -> None:
    machine = [cpu(256 * 10**9)]
    small = next(f for f in list_fits(machine, Use()) if (f.size, f.quantization) == ("2", "none"))
    best = choose_best([small, replace(small, size="8", weights=weights)], BOTH, machine)
    assert best
    assert best.size == chosen


def test_the_best_is_on_an_engine_that_can_serve_it() -> None:
    machine = [card(24 * 10**9)]
    found = list_fits(machine, Use())
    without = [replace(BOTH[1], lacks="not installed")]
    assert choose_best(found, [BOTH[0], *without], machine).engine == "Transformers"  # type: ignore[union-attr]
    no_bits = replace(BOTH[0], lacks_for={"none": "a reason"})
    choice = choose_best(found, [no_bits, *without], machine)
    assert choice
    assert choice.quantization != "none"
    assert choose_best(found, [replace(BOTH[0], lacks="not installed"), *without], machine) is None
