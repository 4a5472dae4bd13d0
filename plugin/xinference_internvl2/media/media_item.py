"""An image or video of a request: as the request names it, and once its header has been read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .image_file import ImageFile
from .tiles import Tiling
from .video_file import VideoFile

MediaKind = Literal["image", "frame", "video"]


@dataclass(frozen=True, slots=True)
class Media:
    """An image or video of a request, or an image that is a frame of a video.

    Attributes:
        where: the part of the request, for messages to the client.
        options: its own options, by the names in `tile_and_frame_options.MEDIA_OPTIONS`.
        number: of a frame in its list, from 1; 0 for others.
    """

    kind: MediaKind
    url: str
    where: str
    options: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0

    def read_num_frames(self, default: int) -> int:
        """Return how many frames of a video the request asks for, or `default`."""
        return int(self.options.get("num_frames", default))


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """An image or a video whose header has been read, and how it is cut into tiles.

    Attributes:
        frames: how many frames of a video are shown; 1 for an image.
    """

    media: Media
    file: ImageFile | VideoFile
    tiling: Tiling
    frames: int

    @property
    def tiles(self) -> int:
        """The number of tiles of the image, or of each frame, thumbnail included."""
        return self.tiling.count(self.file.width, self.file.height)

    def cut(self) -> list[NDArray[np.uint8]]:
        """Decode it and return an array (tiles, 3, image_size, image_size) for each image or frame.

        Raises:
            RequestError: the file is broken, or takes too much time or memory.
        """
        if isinstance(self.file, VideoFile):
            bounds = self.media.options.get("start"), self.media.options.get("end")
            return self.file.cut(self.frames, self.tiling, *bounds)
        return [self.file.cut(self.tiling)]
