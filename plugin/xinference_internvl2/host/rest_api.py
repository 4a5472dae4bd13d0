"""What the host's API does otherwise for requests to our models, in the process that has it.

The host hides every failure of a chat behind a 500 without a reason, and drops options that it
does not know, and `n`, without a word.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from ..errors import RequestError
from ..families import records
from ..patching import patch

HOST_MODULE = "xinference.api.restful_api"
_DROPPED = {"n", "logit_bias"}
_READ_BY_THE_HOST = {"extra_body", "enable_thinking", "cache_salt", "guided_decoding_backend"}
_READ_BY_THE_HOST |= {"guided_json", "guided_regex", "guided_choice", "guided_grammar"}
_READ_BY_THE_HOST |= {"guided_json_object", "guided_whitespace_pattern"}

WITHOUT = (
    "bad requests to our model families are answered 500, or in part ignored, in place of refused"
    " with a 400; use a version of xinference that the plugin was tested with"
)


def activate() -> bool:
    """Extend the API of this process; True if this call was the one that did."""
    host = importlib.import_module(HOST_MODULE)
    extensions = {
        "handle_request_limit_error": _answer_400,
        "create_chat_completion": _keep_options,
    }
    done = [
        patch(host.RESTfulAPI, name, functools.partial(extend, host), without=WITHOUT)
        for name, extend in extensions.items()
    ]
    return any(done)


def _answer_400(host: ModuleType, handle: Callable[..., None]) -> Any:
    """Let an error of ours reach the client, with its sentence."""

    def handle_request_limit_error(error: Exception, **options: Any) -> None:
        if isinstance(error, RequestError):
            # The actor system puts its address before the message of what it wraps.
            sentence = str(getattr(error, "__wrapped__", error))
            raise host.HTTPException(status_code=400, detail=sentence)
        handle(error, **options)

    return handle_request_limit_error


def _keep_options(host: ModuleType, create: Callable[..., Any]) -> Any:
    """Hand over what the host would drop in `extra_body`, which it passes on as it is."""
    known = {*host.CreateChatCompletion.__fields__, *_READ_BY_THE_HOST} - _DROPPED
    invalid = importlib.import_module("xinference._compat").ValidationError

    async def create_chat_completion(api: Any, request: Any) -> Any:
        # The request keeps what it has read, so the host gets this very object.
        body = await request.json()
        fields = body if isinstance(body, dict) else {}
        dropped = {name: fields[name] for name in fields.keys() - known}
        if dropped and await _is_ours(api, fields.get("model")):
            extra = fields.get("extra_body")
            fields["extra_body"] = {**(extra if isinstance(extra, Mapping) else {}), **dropped}
            fields.pop("logit_bias", None)
        try:
            return await create(api, request)
        except invalid as error:
            if not await _is_ours(api, fields.get("model")):
                raise
            raise host.HTTPException(status_code=400, detail=_describe(error)) from None

    return create_chat_completion


def _describe(error: Any) -> str:
    """What is wrong with the first field that the host does not accept."""
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"


async def _is_ours(api: Any, model_uid: Any) -> bool:
    try:
        supervisor = await api._get_supervisor_ref()
        description = await supervisor.describe_model(model_uid)
    except Exception:
        # A model that is not there is for the host to report.
        return False
    names = (description.get("model_name"), description.get("model_family"))
    return any(name in records.load_runtimes() for name in names)
