"""Labels of images and frames in a prompt: Image-1, Image-2 and Frame1, Frame2 and so on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from ..media.media_item import Media, OpenMedia
from .boxes import Picture


class Labels:
    """Labels the images of a conversation (Image-1, unless there is only one), and the frames of
    each video (Frame1).

    Args:
        images: how many there are; 0 labels none.
        frames: how many of every video are shown, or of each video in order.
    """

    def __init__(self, images: int, frames: int | Sequence[int]) -> None:
        self._images, self._count = images, 0
        self._frames = frames if isinstance(frames, int) else iter(frames)

    def of(self, media: Media) -> list[str]:
        """Return what stands before an image, or before each frame: "Image-1: ", or nothing."""
        if media.kind == "video":
            known = self._frames
            frames = media.read_num_frames(known) if isinstance(known, int) else next(known)
            return [f"{label}: " for label in frame_labels(frames)]
        if media.kind == "frame":
            return [f"Frame{media.number}: "]
        self._count += 1
        return [f"Image-{self._count}: " if self._images > 1 else ""]


def frame_labels(frames: int) -> list[str]:
    """Return the labels of the frames of a video: Frame1, Frame2, …"""
    return [f"Frame{number}" for number in range(1, frames + 1)]


def label_pictures(media: Sequence[OpenMedia]) -> list[Picture]:
    """Return the images and frames with the labels that they have in a prompt."""
    pictures: list[Picture] = []
    images = count(1)
    for item in media:
        if item.media.kind == "video":
            labels = frame_labels(item.frames)
        else:
            frame = item.media.number
            labels = [f"Frame{frame}" if frame else f"Image-{next(images)}"]
        pictures += [Picture(label, item.file.width, item.file.height) for label in labels]
    return pictures
