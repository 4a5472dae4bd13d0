"""Selects the packets of a video that have to be decoded for some of its frames.

Packets are counted, since headers may lie; and the decoder gets all packets from the keyframe
before a wanted frame on, since seeking is not exact in every container. Reading packets costs next
to nothing.
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


class PacketIndex(NamedTuple):
    """How the decoding order of packets maps to the presentation order of frames.

    Attributes:
        places: packet → the index of its frame in presentation order, or -1 if it is not shown.
        starts: place → the first packet that the decoder needs for that frame.
        has_times: whether the container has presentation times; else only decoding tells the order.
    """

    places: list[int]
    starts: list[int]
    has_times: bool

    def sequential(self) -> PacketIndex:
        """Return the index for a decoder that gets every packet."""
        return self._replace(starts=[min(self.starts)] * len(self.starts))


def read_index(stream: VideoStream) -> PacketIndex:
    """Index all packets of `stream`, which has to be at its beginning."""
    times: list[Any] = []
    keys, hidden = [], []
    for packet in _packets(stream):
        times.append(packet.pts)
        keys.append(packet.is_keyframe)
        hidden.append(packet.is_discard)
    # A stream that was cut may begin with packets that need an earlier keyframe.
    first = keys.index(True) if True in keys else 0
    shown = [number for number in range(first, len(times)) if not hidden[number]]
    # AVI has decoding times only.
    has_times = stream.container.format.name != "avi" or not stream.codec_context.has_b_frames
    has_times = has_times and None not in [times[number] for number in shown]
    if has_times:
        shown.sort(key=lambda number: times[number])
    places = [-1] * len(times)
    for place, number in enumerate(shown):
        places[number] = place
    starts = _find_starts(places, keys, first) if has_times else [first] * len(shown)
    return PacketIndex(places, starts, has_times)


def _find_starts(places: list[int], keys: list[bool], first: int) -> list[int]:
    starts = [first] * (max(places, default=-1) + 1)
    previous = latest = first
    for number in range(first, len(places)):
        if keys[number]:
            previous, latest = latest, number
        place = places[number]
        # Frames that are shown before the keyframe that they follow need the one before it, too.
        if place >= 0:
            starts[place] = latest if places[latest] <= place else previous
    return starts


def sample_frames(
    stream: VideoStream, index: PacketIndex, places: list[int]
) -> Iterator[tuple[int, VideoFrame]]:
    """Yield (place, frame) for `places` in ascending order.

    It ends early at a frame that the decoder leaves out; where every packet is decoded, the next
    frame takes its place.
    """
    pending = deque(places)
    complete = index.starts == index.sequential().starts
    frame = None
    for order, frame in enumerate(_decode(stream, index, pending)):
        place = frame.pts if index.has_times and frame.pts is not None else order
        while pending and pending[0] <= place:
            if pending[0] < place and not complete:
                return
            yield pending.popleft(), frame
        if not pending:
            return
    if frame is not None and complete:
        yield from ((place, frame) for place in pending)


def _decode(stream: VideoStream, index: PacketIndex, pending: deque[int]) -> Iterator[VideoFrame]:
    """Yield frames in presentation order, without packets that no `pending` place depends on."""
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
