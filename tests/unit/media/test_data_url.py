"""Files that are written into a request, in all forms in which clients write them."""

from __future__ import annotations

import base64

import pytest
from PIL import Image

from tests.support.chat.media import encode, video
from xinference_internvl2.media.data_url import read_inline

from .pictures import noise

# Its base64 has both letters in which the alphabets differ.
DATA = encode(noise(40, 40))
TEXT = base64.b64encode(DATA).decode()
SAFE = base64.urlsafe_b64encode(DATA).decode()
assert "+" in TEXT
assert "/" in TEXT

FORMS = [
    f"data:image/png;base64,{TEXT}",
    f"data:;base64,{TEXT}",
    f"data:base64;base64,{TEXT}",
    f"DATA:IMAGE/PNG;BASE64,{TEXT}",
    f"data:image/png;charset=utf-8;base64,{TEXT}",
    f'data:image/png;name="a b.png";base64,{TEXT}',
    f"data:image/png; base64 ,{TEXT}".replace("; ", ";"),
    f"data:image/png;base64,{SAFE}",
    f"data:image/png;base64,{TEXT.rstrip('=')}",
    "data:image/png;base64," + "\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76)),
    "data:image/png;base64, " + "\r\n\t ".join([TEXT[:3], TEXT[3:]]) + " ",
    "data:image/png;base64," + TEXT.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
    "data:image/png," + "".join(f"%{byte:02x}" for byte in DATA),
    TEXT,
    SAFE,
    TEXT.rstrip("="),
    f"  {TEXT[:40]}\n{TEXT[40:]}\n",
]


@pytest.mark.parametrize("url", FORMS, ids=range(len(FORMS)))
def test_forms(url: str) -> None:
    assert read_inline(url) == DATA


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_an_image_in_bare_base64(name: str) -> None:
    data = encode(Image.new("RGB", (30, 30), "red"), name)
    assert read_inline(base64.b64encode(data).decode()) == data


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi"])
def test_a_video_in_bare_base64(container: str) -> None:
    data = video(2, container)
    assert read_inline(base64.b64encode(data).decode()) == data


ELSEWHERE = [
    "http://example.com/x.png",
    "https://example.com/data:image/png;base64,AAAA",
    "file:///etc/passwd",
    "/etc/passwd",
    "C:/Users/x.png",
    "etc/passwd",
    "AAAA" * 20,
    "",
    "好",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_what_is_elsewhere(url: str) -> None:
    assert read_inline(url) is None


@pytest.mark.parametrize("url", ["data:,", "data:;base64,", "data:text/plain,"])
def test_what_is_empty(url: str) -> None:
    assert read_inline(url) == b""


WRONG = [
    ("data:image/png;base64", "without a comma"),
    ("data:image/png;base64,!!!!", "whose base64 cannot be decoded"),
    ("data:image/png;base64,AAAAA", "whose base64 cannot be decoded"),
    ("data:image/png;base64,好好", "whose base64 cannot be decoded"),
]


@pytest.mark.parametrize(("url", "words"), WRONG)
def test_what_is_written_wrongly_is_named(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_inline(url)
