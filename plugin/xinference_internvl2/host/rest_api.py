"""Extends the host's API for requests to our models, in the process that has it.

The host hides failures of a chat behind a 500 without a reason, begins a stream before it knows
whether there will be one, and drops fields that its schemas lack without a word.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from ..errors import RequestError
from ..patching import patch
from . import anthropic_api, model_errors, openai_api, responses_api
from .api_call import ApiCall, Refuse, set_current
from .disconnect import CLIENT_CLOSED_REQUEST, answer_unless_client_leaves
from .error_fields import translate_fields
from .error_message import clean_message, describe_invalid
from .error_status import add_retry_after, choose_status
from .event_stream import StreamRefusedError, start_stream
from .model_availability import connection_errors, raise_if_unavailable
from .our_families import is_our_model
from .request_body import keep_cache_salt, normalize, read_body
from .request_log import log_refusal

HOST_MODULE = "xinference.api.restful_api"
WITHOUT = (
    "bad requests to our model families are answered 500, or in part ignored, in place of refused"
    " with a 400; use a version of xinference that the plugin was tested with"
)


class Api(NamedTuple):
    """One of the APIs that lead to a model.

    Attributes:
        read: notes in the call what the host would not hand over; raises RequestError.
        refuse: builds the response to a refused request.
    """

    read: Callable[[ApiCall], None]
    refuse: Refuse


ROUTES = {
    "create_chat_completion": Api(openai_api.read_chat, openai_api.refuse),
    "create_completion": Api(openai_api.read_completion, openai_api.refuse),
    "create_response": Api(responses_api.read, responses_api.refuse),
    "create_message": Api(anthropic_api.read, anthropic_api.refuse),
    "count_anthropic_tokens": Api(anthropic_api.read, anthropic_api.refuse),
}
NOT_EVERYWHERE = {"count_anthropic_tokens"}
"""Routes that the host has only since 4.1."""


def activate() -> bool:
    """Extend the API of this process; True if this call was the one that did."""
    host = importlib.import_module(HOST_MODULE)
    protocol = importlib.import_module("xinference.api.protocols.anthropic")
    keep_messages = functools.partial(anthropic_api.keep_messages, protocol)
    api = host.RESTfulAPI
    routes = [name for name in ROUTES if name not in NOT_EVERYWHERE or hasattr(api, name)]
    extensions: list[tuple[Any, str, Callable[[Any], Any]]] = [
        *((api, name, functools.partial(_open_route, host, ROUTES[name])) for name in routes),
        (api, "_get_model_last_error", model_errors.raise_refusals),
        (api, "handle_request_limit_error", functools.partial(model_errors.keep_sentences, host)),
        (api, "extract_guided_params", openai_api.hand_over_options),
        (api, "_anthropic_error", anthropic_api.clean_errors),
        (host, "parse_anthropic_request", keep_messages),
        (protocol.CanonicalChatRequest, "to_openai_body", anthropic_api.hand_over_options),
        (host, "parse_responses_request", responses_api.hand_over),
    ]
    done = [patch(*extension, without=WITHOUT) for extension in extensions]
    return any(done)


def _open_route(host: ModuleType, api: Api, route: Callable[..., Any]) -> Any:
    from starlette.requests import ClientDisconnect
    from starlette.responses import Response

    async def answer(rest_api: Any, request: Any) -> Any:
        call = ApiCall(request.scope["headers"])
        try:
            call.body = await read_body(request)
            if await is_our_model(rest_api, call.body["model"]):
                ours = functools.partial(route, rest_api)
                return await _answer(host, api, ours, rest_api, request, call)
        except RequestError as error:
            return _refuse(host, api, request, call, choose_status(error), str(error))
        except ClientDisconnect:  # in the middle of its body
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        return await route(rest_api, request)

    return answer


async def _answer(
    host: ModuleType,
    api: Api,
    route: Callable[[Any], Any],
    rest_api: Any,
    request: Any,
    call: ApiCall,
) -> Any:
    normalize(call.body)
    api.read(call)
    keep_cache_salt(host, call)
    invalid = importlib.import_module("xinference._compat").ValidationError
    response, headers = None, None
    try:
        response = await _call_route(host, route, request, call)
        add_retry_after(response.status_code, response.headers)
        if response.status_code != 500:
            return response
        status, message = 500, response.body.decode()
    except invalid as error:
        status, message = 400, describe_invalid(error)
    except StreamRefusedError as error:
        status, message = call.status, str(error)
    except host.HTTPException as error:
        status, message, headers = error.status_code, clean_message(error.detail), error.headers
    except connection_errors() as error:
        status, message = 500, str(error)
    if status == 500:
        await raise_if_unavailable(rest_api, call.body["model"], message)
    if response is not None:
        return response
    return _refuse(host, api, request, call, status, message, headers)


async def _call_route(
    host: ModuleType, route: Callable[[Any], Any], request: Any, call: ApiCall
) -> Any:
    """Return the host's response to a request; a stream once its first event is there."""
    with set_current(call):
        if call.body.get("stream"):
            response = await route(request)
        else:
            response = await answer_unless_client_leaves(request, route(request))
        if isinstance(response, host.EventSourceResponse):
            response = await start_stream(response, call)
    return response


def _refuse(
    host: ModuleType,
    api: Api,
    request: Any,
    call: ApiCall,
    status: int,
    message: str,
    headers: dict[str, str] | None = None,
) -> Any:
    headers = dict(headers or {})
    add_retry_after(status, headers)
    message = translate_fields(call, message)
    log_refusal(f"A request to {request.url.path}", call.body.get("model"), message)
    return api.refuse(host, request, call, status, message, headers)
