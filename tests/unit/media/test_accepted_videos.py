"""Which videos are accepted, and that nothing else is opened."""

from __future__ import annotations

import io
import socket
from pathlib import Path

import av
import pytest
from PIL import Image

from xinference_internvl2.errors import RequestError
from xinference_internvl2.media import accepted_videos
from xinference_internvl2.media.video_decoder import open_stream
from xinference_internvl2.media.video_file import open_video

from .test_video_file import frames, picture, video


def image(name: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(5)).save(file, name)
    return file.getvalue()


def sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 8000
        frame.planes[0].update(bytes(4096))
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()


UNREADABLE = "is not a video that can be read; send a file in one of the formats MP4, WebM"
REFUSED = [
    (b"", UNREADABLE),
    (b"no video", UNREADABLE),
    (bytes(4096), UNREADABLE),
    (image("PNG"), UNREADABLE),
    (image("JPEG"), UNREADABLE),
    (video(8)[:500], UNREADABLE),
    (video(8, "h264"), UNREADABLE),
    (sound(), "has no video stream"),
    (video(8, "matroska", "ffv1"), "is encoded with ffv1; encode it with one of H.264, H.265"),
    (
        video(1, "avi", "mjpeg", size=(8200, 4400), pixels="yuvj420p"),
        "has 8200×4400 pixels a frame; send a video of at most 35,389,440",
    ),
]


@pytest.mark.parametrize(("data", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_video_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(RequestError, match=r"^part\[1\] ") as caught:
        frames(open_video(data, "part[1]"), 8)
    assert message in str(caught.value)


PLAYLISTS = {
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{url}'\n",
    "DASH": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
    "<BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "SVG": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>',
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_opens_nothing(kind: str, tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(video(8))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/a.ts", f"file:{tmp_path}/secret.mp4"):
            text = PLAYLISTS[kind].format(url=url, port=port)
            with pytest.raises(RequestError, match="is not a video that can be read"):
                open_video(text.encode(), "part")
        with pytest.raises(TimeoutError):
            server.accept()


def test_the_pixels_of_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    data = video(3, size=(64, 64))
    monkeypatch.setattr(accepted_videos, "MAX_FRAME_PIXELS", 4096)
    with open_stream(data, "it") as stream:
        assert (stream.codec_context.width, stream.codec_context.height) == (64, 64)
    monkeypatch.setattr(accepted_videos, "MAX_FRAME_PIXELS", 4095)
    refusal = pytest.raises(RequestError, match=r"64×64 pixels a frame; .* at most 4,095")
    with refusal, open_stream(data, "it"):
        pass
