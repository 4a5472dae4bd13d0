"""`render`: builds the prompt of a request, without a server and without the weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..chat.prepare import prepare
from ..chat.prompt_launch_options import read_launch_prompt
from ..chat.served_checkpoint import ServedCheckpoint
from ..checkpoint.config import read_config
from ..checkpoint.rope import trained_length
from ..errors import RequestError
from ..families.find_family import find_family
from ..families.find_prompt_format import find_prompt_format
from ..families.records import read_registration
from ..media.media_launch_options import read_launch_budget, read_launch_limits
from ..tokenizer.tokenizer import load_tokenizer

_OF_THE_SERVER = ("model", "messages", "stream")


def render(
    path: Path, request: Any, model_name: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the prompt of a request, its token ids, and how many tiles each picture and video has.

    Args:
        path: the folder of a checkpoint.
        request: the JSON of a chat request, or of its messages alone.
        model_name: the family that the checkpoint is launched as; None finds it by its prompt
            format.
        options: of the launch.

    Raises:
        CheckpointError: the checkpoint or an option of the launch cannot be served.
        RequestError: the request cannot be answered.
    """
    body = {"messages": request} if isinstance(request, list) else request
    if not isinstance(body, Mapping) or not isinstance(body.get("messages"), list):
        raise RequestError(
            "the request has no messages; give a chat request, or a list of messages"
        )
    fields = {name: value for name, value in body.items() if name not in _OF_THE_SERVER}
    found = prepare(body["messages"], fields, _build_served(path, model_name, options))
    return {"prompt": found.text, "prompt_token_ids": found.ids, "tiles": found.tile_counts}


def _build_served(
    path: Path, model_name: str | None, options: Mapping[str, Any]
) -> ServedCheckpoint:
    config = read_config(path)
    tokenizer = load_tokenizer(path, config.llm["vocab_size"])
    prompt_format = find_prompt_format(config.template, model_name)
    family = find_family(config.template, model_name).model_name
    return ServedCheckpoint(
        config=config,
        tokenizer=tokenizer,
        prompt_format=read_launch_prompt(options, prompt_format, tokenizer).format,
        context_length=trained_length(config.llm, read_registration(family)["context_length"]),
        limits=read_launch_limits(options, config),
        fetch=_read,
        budget=read_launch_budget(options),
    )


def _read(path: str, deadline: float) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}; give a picture on this machine") from None
