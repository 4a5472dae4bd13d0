"""Which packets of a video have to be decoded for which of its frames.

Packets are counted rather than the header believed, and the decoder is fed from the keyframe
before a wanted frame rather than seeking in the container: reading packets costs next to nothing,
and is exact in every container.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


class Index(NamedTuple):
    """How decoding order and presentation order belong together.

    places: by packet, the place of its frame in presentation order, or -1 if it is not shown.
    starts: by place, the packet from which on the decoder has to see all of them.
    timed: whether the container has presentation times; otherwise only decoding tells the order.
    """

    places: list[int]
    starts: list[int]
    timed: bool

    def sequential(self) -> Index:
        """Return the same for decoding without skipping."""
        return self._replace(starts=[min(self.starts)] * len(self.starts))


def read_index(stream: VideoStream) -> Index:
    """Read all packets of `stream`, which has to be at its beginning."""
    times: list[Any] = []
    keys, hidden = [], []
    for packet in _packets(stream):
        times.append(packet.pts)
        keys.append(packet.is_keyframe)
        hidden.append(packet.is_discard)
    # What a stream that was cut holds before its first keyframe cannot be decoded.
    first = keys.index(True) if True in keys else 0
    shown = [number for number in range(first, len(times)) if not hidden[number]]
    # AVI has decoding times only.
    timed = stream.container.format.name != "avi" or not stream.codec_context.has_b_frames
    timed = timed and None not in [times[number] for number in shown]
    if timed:
        shown.sort(key=lambda number: times[number])
    places = [-1] * len(times)
    for place, number in enumerate(shown):
        places[number] = place
    starts = _starts(places, keys, first) if timed else [first] * len(shown)
    return Index(places, starts, timed)


def _starts(places: list[int], keys: list[bool], first: int) -> list[int]:
    starts = [first] * (max(places, default=-1) + 1)
    previous = latest = first
    for number in range(first, len(places)):
        if keys[number]:
            previous, latest = latest, number
        place = places[number]
        # Frames shown before the keyframe that they follow refer to the one before it, too.
        if place >= 0:
            starts[place] = latest if places[latest] <= place else previous
    return starts


def sample_frames(
    stream: VideoStream, index: Index, places: list[int]
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield the frames at `places`, which ascend. At one that the decoder leaves out it ends early,
    but where all packets are decoded, the next frame stands in."""
    pending = deque(places)
    complete = index.starts == index.sequential().starts
    frame = None
    for order, frame in enumerate(_decode(stream, index, pending)):
        place = frame.pts if index.timed and frame.pts is not None else order
        while pending and pending[0] <= place:
            if pending[0] < place and not complete:
                return
            yield pending.popleft(), frame
        if not pending:
            return
    if frame is not None and complete:
        yield from ((place, frame) for place in pending)


def _decode(stream: VideoStream, index: Index, pending: deque[int]) -> Iterator[VideoFrame]:
    """Yield frames in presentation order, skipping what none of the `pending` ones depends on."""
    codec = stream.codec_context
    skipped = False
    for number, packet in enumerate(_packets(stream)):
        if index.starts[pending[0]] > number:
            skipped = True
            continue
        if skipped:
            codec.flush_buffers()
            skipped = False
        packet.pts = index.places[number]
        yield from packet.decode()
    yield from codec.decode(None)


def _packets(stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Yield the packets of `stream` in decoding order; each holds one frame."""
    container = cast("InputContainer", stream.container)
    return (packet for packet in container.demux(stream) if packet.size)
