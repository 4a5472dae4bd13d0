"""Prepares and decodes a request once the budget has memory for it beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..media.budget import Reservation
from ..media.limits import MAX_FETCHED_BYTES
from .request import ChatRequest
from .request_size import measure_media
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
        # The size of a remote file is known only once it has been fetched.
        most = min(size.inline + MAX_FETCHED_BYTES, budget.fetched.total)
        await reservation.move_to(budget.fetched, most)
    else:
        await reservation.move_to(budget.files, size.inline)
    request = await prepare_on_thread(messages, config, served, size)
    if size.remote:
        await reservation.move_to(budget.files, sum(len(item.file.data) for item in request.media))
    return request


async def decode_media(
    request: ChatRequest, served: ServedCheckpoint, reservation: Reservation
) -> ChatRequest:
    """Decode the media of a request once there is memory for their tiles and for a decoder."""
    if not request.media:
        return request
    count = sum(item.tiles * item.frames for item in request.media)
    files = sum(len(item.file.data) for item in request.media)
    held = files + count * 3 * served.config.tile_size**2
    await reservation.move_to_tiles(held, max(item.file.memory for item in request.media))
    tiles = await decode_on_thread(request)
    reservation.shrink(held)
    return replace(request, media=[], tiles=tiles)
