"""Messages that are refused, each with the sentence that says why."""

from __future__ import annotations

from typing import Any

from .media import assistant, image, system, text, user

HI = user("Hi")
REFUSED: list[tuple[list[Any], str]] = [
    ([system("S")], "messages: there is no user message to answer"),
    (
        [{"role": "tool", "content": "x"}, HI],
        "messages[0]: the model calls no tools, so nothing can be the result of one; leave it out",
    ),
    (
        [{"role": "function", "name": "f", "content": "x"}, HI],
        "messages[0]: the model calls no tools, so nothing can be the result of one; leave it out",
    ),
    (
        [HI, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, HI],
        "messages[1].tool_calls is not supported: the model calls no tools; leave it out",
    ),
    ([{"content": "x"}], "messages[0]: role None is not supported; use system, user or assistant"),
    ([user(7)], "messages[0].content has to be a string or a list of parts"),
    ([user(["Q"])], "messages[0].content[0] has to be an object with a type"),
    ([user([text(None)])], "messages[0].content[0].text has to be a string"),
    (
        [user([text("Q"), {"type": "input_audio"}])],
        "messages[0].content[1]: content of type 'input_audio' is not supported; "
        "use text, image_url or video_url",
    ),
    (
        [user([{"type": "image_url"}])],
        "messages[0].content[0].image_url has to be a URL or an object with one",
    ),
    (
        [user([{"type": "video_url", "video_url": {"url": ""}}])],
        "messages[0].content[0].video_url has to be a URL or an object with one",
    ),
    (
        [user([image("u", detail="huge")])],
        "messages[0].content[0].image_url.detail 'huge' is not one of auto, low, medium, high",
    ),
    (
        [HI, assistant([image("a")])],
        "messages[1].content[0]: an assistant message can hold only text",
    ),
    ([system([image("a")]), HI], "messages[0].content[0]: a system message can hold only text"),
    (
        [{**HI, "name": "Ada"}],
        "messages[0].name is not supported: the prompt format has no names; leave it out",
    ),
    ([{**HI, "weight": 0}], "messages[0].weight is not supported for this model; leave it out"),
    (
        [user([{**text("Q"), "style": "bold"}])],
        "messages[0].content[0].style is not supported for this model; leave it out",
    ),
    (
        [user([{**image("u"), "uuid": "1"}])],
        "messages[0].content[0].uuid is not supported for this model; leave it out",
    ),
    (
        [user([image("u", size="1")])],
        "messages[0].content[0].image_url.size is not supported; "
        "use max_dynamic_patch, min_dynamic_patch or detail",
    ),
    (
        [user([{"type": "input_image", "file_id": "1"}])],
        "messages[0].content[0].file_id is not supported for this model; leave it out",
    ),
    (
        [user([{"type": "image", "image": "u", "url": "v"}])],
        "messages[0].content[0]: image and url are two sources; give only one",
    ),
    (
        [user([{"type": "image", "source": {"type": "file", "file_id": "1"}}])],
        "messages[0].content[0].source.file_id is not supported; "
        "use max_dynamic_patch, min_dynamic_patch or detail",
    ),
    (
        [user([{"type": "image", "image": ["u", "v"]}])],
        "messages[0].content[0].image has to be a URL or an object with one",
    ),
    (
        [user([{"type": "video", "video": []}])],
        "messages[0].content[0].video has 0 frames; give 1 to 64",
    ),
]
