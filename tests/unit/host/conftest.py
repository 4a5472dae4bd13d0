"""The host's real API in this process, with a model behind it that writes what it is told to."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sse_starlette
from fastapi import FastAPI
from starlette.testclient import TestClient
from xinference.model.llm.media import load_media_bytes
from xoscar.backends.message import ErrorMessage

from tests.tiny import make_checkpoint
from xinference_internvl2.chat.anthropic_usage import prepare_anthropic_request
from xinference_internvl2.chat.chat_flow import answer
from xinference_internvl2.chat.count_tokens import count_tokens
from xinference_internvl2.chat.request import ChatRequest
from xinference_internvl2.chat.served_checkpoint import ServedCheckpoint
from xinference_internvl2.chat.text_completion import complete
from xinference_internvl2.checkpoint.config import read_config
from xinference_internvl2.engine_outputs import FinishOutput, Outputs, TokenOutput
from xinference_internvl2.errors import RequestError
from xinference_internvl2.families.find_prompt_format import find_prompt_format
from xinference_internvl2.families.records import FAMILIES
from xinference_internvl2.host import request_log, rest_api
from xinference_internvl2.media.limits import MediaLimits
from xinference_internvl2.tokenizer.tokenizer import load_tokenizer

ANSWER = "One, two, three."


class Model:
    """Stands for the actor of a model: our flow of a request, without an engine.

    `requests` are those that reached it; `fault`, where there is one, is raised in the middle of
    an answer; `ours` says of which family it is.
    """

    uid = b"model-0"

    def __init__(self, checkpoint: Path) -> None:
        config = read_config(checkpoint)
        self.served = ServedCheckpoint(
            config,
            load_tokenizer(checkpoint),
            find_prompt_format(config.template),
            32768,
            MediaLimits(config.max_tiles),
            load_media_bytes,
        )
        self.requests: list[ChatRequest] = []
        self.fault: Exception | None = None
        self.ours = True

    async def describe_model(self, uid: str) -> Mapping[str, Any]:
        if uid != "model":
            raise ValueError(f"Model not found in the model list, uid: {uid}")
        return {"model_name": "internvl2" if self.ours else "other", "model_family": "other"}

    async def get_instance_info(self, name: str | None, uid: str) -> list[dict[str, Any]]:
        return [{"model_name": "internvl2" if self.ours else "other"}] if uid == "model" else []

    async def get_model(self, uid: str) -> Model:
        await self.describe_model(uid)
        return self

    async def resolve_token_router_runtime(self, uid: str) -> None:
        """There is none."""

    async def is_vllm_backend(self) -> bool:
        return False

    async def is_transformers_batching_enabled(self) -> bool:
        return False

    async def abort_request(self, request_id: str) -> None:
        """Nothing runs."""

    async def decrease_serve_count(self) -> None:
        """Nobody counts."""

    async def chat(self, messages: Any, config: Any, raw_params: Any = None) -> Any:
        return await self._run(answer, messages, config)

    async def generate(self, prompt: str, config: Any, raw_params: Any = None) -> Any:
        return await self._run(complete, prompt, config)

    async def prepare_anthropic_request(self, messages: Any, config: Any) -> Any:
        return json.dumps(prepare_anthropic_request(messages, config)).encode()

    async def count_tokens(self, messages: Any, config: Any) -> Any:
        try:
            return json.dumps(await count_tokens(messages, config, self.served)).encode()
        except RequestError as error:
            raise from_another_process(error) from None

    async def _run(self, flow: Any, asked: Any, config: Any) -> Any:
        try:
            found = await flow("model", asked, config, self.served, self._generate)
        except RequestError as error:
            raise from_another_process(error) from None
        return json.dumps(found).encode() if isinstance(found, dict) else _send(found)

    async def _generate(self, request: ChatRequest) -> Outputs:
        self.requests.append(request)
        return self._outputs(
            self.served.tokenizer.encode(ANSWER, add_special_tokens=False), request
        )

    async def _outputs(
        self, ids: Sequence[int], request: ChatRequest
    ) -> AsyncGenerator[TokenOutput | FinishOutput, None]:
        for choice in range(request.sampling.n):
            for token in ids[: request.sampling.max_tokens]:
                yield TokenOutput(choice, token, -0.5, ((token, -0.5),))
                if self.fault:
                    raise from_another_process(self.fault)
            ended = "length" if len(ids) > request.sampling.max_tokens else "stop"
            yield FinishOutput(choice, ended)  # type: ignore[arg-type]


def from_another_process(error: Exception) -> Exception:
    """As the actor system raises it: with an address, and as a class of its own."""
    message = ErrorMessage(b"id", "127.0.0.1:1", 2, type(error), error, None)
    return message.as_instanceof_cause()  # type: ignore[no-any-return]


async def _send(chunks: AsyncGenerator[Any, None]) -> AsyncGenerator[bytes, None]:
    async for chunk in chunks:
        yield sse_starlette.sse.ensure_bytes({"data": json.dumps(chunk)}, None)


@pytest.fixture(scope="session")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2"))


@pytest.fixture
def model(_model: Model) -> Model:
    """The model behind the API, as at its start."""
    _model.requests, _model.fault, _model.ours = [], None, True
    return _model


@pytest.fixture(scope="session")
def _app(_model: Model, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    from xinference.api import restful_api
    from xinference.api.routers.llm import register_routes

    rest_api.activate()
    request_log.log_refusals_once()
    api = restful_api.RESTfulAPI.__new__(restful_api.RESTfulAPI)
    app = FastAPI()
    api._router, api._auth_service, api._advanced_auth_service = app.router, None, None

    async def supervisor() -> Model:
        return _model

    async def report(*event: Any) -> None:
        logging.getLogger("events").error("%s", event)

    api._get_supervisor_ref, api._report_error_event = supervisor, report
    register_routes(api)
    return app


@pytest.fixture
def counts(_app: FastAPI) -> bool:
    """Whether this Xinference counts tokens for Anthropic's clients, as it does since 4.1."""
    return any(getattr(r, "path", "") == "/v1/messages/count_tokens" for r in _app.routes)


@pytest.fixture
def counting(counts: bool) -> None:
    """What a test needs that is about the counting of tokens alone."""
    if not counts:
        pytest.skip("this Xinference counts no tokens for Anthropic's clients")


@pytest.fixture
def client(_app: FastAPI, model: Model) -> Iterator[TestClient]:
    """Sends requests to the host's API."""
    headers = {"anthropic-version": "2023-06-01"}
    with TestClient(_app, raise_server_exceptions=False, headers=headers) as client:
        yield client


@pytest.fixture
def catalog_family() -> SimpleNamespace:
    """InternVL2 as the host's catalog has it: a spec for each quantization."""
    (record,) = json.loads((FAMILIES / "internvl2.json").read_text("utf-8"))
    specs = [
        SimpleNamespace(
            model_format=spec["model_format"],
            model_size_in_billions=spec["model_size_in_billions"],
            quantization=quantization,
        )
        for spec in record["model_specs"]
        for quantization in spec["model_src"]["huggingface"]["quantizations"]
    ]
    return SimpleNamespace(model_name="internvl2", model_specs=specs)
