"""The memory that requests share: who waits, who is told to come again, and what comes back."""

from __future__ import annotations

import asyncio
import gc
from contextlib import nullcontext

import pytest

from xinference_internvl2.errors import OverloadedError, RequestError
from xinference_internvl2.media import memory_budget as budget_module
from xinference_internvl2.media.memory_budget import Budget, Reservation, default_memory
from xinference_internvl2.system_memory import MachineMemory

MB = 1 << 20


@pytest.mark.parametrize(("pool", "most"), [("fetched", 16), ("files", 16), ("tiles", 32)])
def test_a_request_may_take_all_of_a_part_and_no_more(pool: str, most: int) -> None:
    async def take(size: int) -> None:
        budget = Budget(64 * MB, waiting=0)
        await Reservation(budget).move_to(getattr(budget, pool), size)

    asyncio.run(take(most * MB))
    with pytest.raises(RequestError, match=rf"take {most} MB, more than the {most} MB .* --media_"):
        asyncio.run(take(most * MB + 1))


@pytest.mark.parametrize(("decoding", "taken"), [(21, 31), (22, 32), (23, 32), (500, 32)])
def test_a_decoder_takes_no_more_than_the_whole_pool(decoding: int, taken: int) -> None:
    budget = Budget(64, waiting=0)
    reservation = Reservation(budget)
    asyncio.run(reservation.move_to_tiles(10, decoding))
    assert budget.tiles.total - budget.tiles.free == taken


@pytest.mark.parametrize("held", [32, 33])
def test_tiles_have_to_fit_into_the_pool(held: int) -> None:
    budget = Budget(64, waiting=0)
    reservation = Reservation(budget)
    with pytest.raises(RequestError) if held > budget.tiles.total else nullcontext():
        asyncio.run(reservation.move_to_tiles(held, 5))
    assert budget.tiles.total - budget.tiles.free == (held if held == 32 else 0)


def test_who_does_not_fit_waits_in_the_order_of_arrival() -> None:
    async def scenario() -> list[str]:
        budget, order = Budget(20), []
        first = Reservation(budget)
        await first.move_to(budget.tiles, 10)

        async def later(name: str, size: int) -> None:
            reservation = Reservation(budget)
            await reservation.move_to(budget.tiles, size)
            order.append(name)
            reservation.release()

        # The small one would fit at once after the first, and still does not overtake.
        tasks = [asyncio.create_task(later(*each)) for each in (("large", 10), ("small", 1))]
        await asyncio.sleep(0)
        assert order == []
        first.release()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        assert budget.tiles.free == budget.tiles.total
        return order

    assert asyncio.run(scenario()) == ["large", "small"]


@pytest.mark.parametrize(
    ("options", "bound"), [({"waiting": 0}, 0), ({"waiting": 2}, 2), ({}, 128)]
)
def test_too_many_that_wait_are_told_to_come_again(options: dict[str, int], bound: int) -> None:
    async def scenario() -> None:
        budget = Budget(20 * MB, **options)
        first = Reservation(budget)
        await first.move_to(budget.tiles, 10 * MB)
        tasks = [
            asyncio.create_task(Reservation(budget).move_to(budget.tiles, 1)) for _ in range(bound)
        ]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match=rf"{bound} requests wait .* again later"):
            await asyncio.wait_for(Reservation(budget).move_to(budget.tiles, 1), 5)
        first.release()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)

    asyncio.run(scenario())


def test_one_that_leaves_while_it_waits_gives_way() -> None:
    async def scenario() -> None:
        budget = Budget(20)
        first, last = Reservation(budget), Reservation(budget)
        await first.move_to(budget.tiles, 5)
        leaving = asyncio.create_task(Reservation(budget).move_to(budget.tiles, 10))
        waiting = asyncio.create_task(last.move_to(budget.tiles, 5))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait_for(waiting, 5)
        first.release()
        last.release()
        assert budget.tiles.free == 10

    asyncio.run(scenario())


def test_one_that_leaves_as_it_is_admitted_gives_back() -> None:
    async def scenario() -> None:
        budget = Budget(20)
        first = Reservation(budget)
        await first.move_to(budget.tiles, 10)
        leaving = asyncio.create_task(Reservation(budget).move_to(budget.tiles, 10))
        await asyncio.sleep(0)
        first.release()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert budget.tiles.free == 10

    asyncio.run(scenario())


def test_what_is_held_moves_on_and_a_forgotten_hold_gives_it_back() -> None:
    async def scenario() -> None:
        budget = Budget(400)
        reservation = Reservation(budget)
        for pool, size in ((budget.fetched, 100), (budget.files, 30), (budget.tiles, 150)):
            await reservation.move_to(pool, size)
            assert pool.free == pool.total - size
        assert (budget.fetched.free, budget.files.free) == (100, 100)
        del reservation
        gc.collect()
        assert budget.tiles.free == 200

    asyncio.run(scenario())


def test_who_waits_in_a_loop_that_is_closed_holds_nothing() -> None:
    budget = Budget(20)
    first = Reservation(budget)

    async def leave() -> None:
        await first.move_to(budget.tiles, 10)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(
                asyncio.shield(Reservation(budget).move_to(budget.tiles, 10)), 0.01
            )

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    first.release()
    assert budget.tiles.free == 10


@pytest.mark.parametrize(
    ("pool", "size", "trimmed"),
    [("tiles", 16 * MB, 1), ("tiles", 16 * MB - 1, 0), ("files", 16 * MB, 0)],
)
def test_the_system_gets_large_tiles_back(
    pool: str, size: int, trimmed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trims: list[None] = []
    monkeypatch.setattr(budget_module, "trim", lambda: trims.append(None))

    async def take_and_release() -> None:
        budget = Budget(64 * MB)
        reservation = Reservation(budget)
        await reservation.move_to(getattr(budget, pool), size)
        reservation.release()

    asyncio.run(take_and_release())
    assert len(trims) == trimmed


def test_the_default_follows_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for gigabytes, expected in ((1, 512 * MB), (4, 512 * MB), (16, 2048 * MB), (256, 8192 * MB)):
        found = MachineMemory(gigabytes << 30, 0)
        monkeypatch.setattr(budget_module, "machine_memory", lambda found=found: found)
        assert default_memory() == expected
