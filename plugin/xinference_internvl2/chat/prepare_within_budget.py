"""Prepares and decodes a request once the budget has memory for it beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..media.memory_budget import Reservation
from .prepare import prepare
from .request import ChatRequest
from .request_size import assume_fetched, measure_files, measure_media, measure_tiles
from .served_checkpoint import ServedCheckpoint
from .thread_pools import decode_on_thread, prepare_on_thread


async def prepare_request(
    messages: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    served: ServedCheckpoint,
    reservation: Reservation,
) -> ChatRequest:
    """Prepare a request once there is memory for its files; errors as for `prepare`."""
    size, budget = measure_media(messages, served.context_length), served.budget
    if size.remote:
        await reservation.move_to(budget.fetched, min(assume_fetched(size), budget.fetched.total))
    else:
        await reservation.move_to(budget.files, size.inline)
    work = partial(prepare, messages, config, served)
    request = await prepare_on_thread(work, size)
    if size.remote:
        await reservation.move_to(budget.files, measure_files(request.media))
    return request


async def decode_media(
    request: ChatRequest, served: ServedCheckpoint, reservation: Reservation
) -> ChatRequest:
    """Decode the media of a request once there is memory for their tiles and for a decoder."""
    if not request.media:
        return request
    held = measure_files(request.media) + measure_tiles(request.media, served.config.tile_size)
    await reservation.move_to_tiles(held, max(item.file.memory for item in request.media))
    tiles = await decode_on_thread(request)
    reservation.shrink(held)
    return replace(request, media=[], tiles=tiles)
