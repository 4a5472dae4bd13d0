"""A launched model: how it is launched, waited for, asked, and how it refuses."""

from __future__ import annotations

import base64
import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image
from xinference.client import RESTfulClient

from .host import Host

READY_SECONDS = 420


def data_uri(image: Image.Image, image_format: str = "PNG") -> str:
    file = io.BytesIO()
    image.save(file, image_format)
    encoded = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{image_format.lower()};base64,{encoded}"


def image_message(text: str, *urls: str) -> dict[str, Any]:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [*images, {"type": "text", "text": text}]}


@dataclass(frozen=True)
class Served:
    """A launched model: `checkpoint` is its directory, `uid` its name on the server."""

    host: Host
    uid: str
    checkpoint: Path

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=f"{self.host.url}/v1", api_key="none", max_retries=0, timeout=300
        )

    def chat(self, *messages: dict[str, Any], **options: Any) -> Any:
        return self.client().chat.completions.create(
            model=self.uid,
            messages=list(messages),  # type: ignore[arg-type]
            **{"max_tokens": 16, **options},
        )

    def refusal(self, *messages: dict[str, Any], **options: Any) -> str:
        """The sentence with which the server refuses a request as the client's fault."""
        with pytest.raises(openai.BadRequestError) as caught:
            self.chat(*messages, **options)
        return str(caught.value.response.json()["detail"])


def launch(host: Host, uid: str, *flags: str, **options: str) -> Any:
    """Run `xinference launch` for the 1B spec, with `options` in place of the usual ones."""
    words = {
        "model_engine": "Transformers",
        "model_name": "internvl2",
        "model_uid": uid,
        "size_in_billions": "1",
        "model_format": "pytorch",
        "quantization": "none",
        **options,
    }
    pairs = [[f"--{name.replace('_', '-')}", value] for name, value in words.items()]
    return host.cli("launch", *(word for pair in pairs for word in pair), *flags)


def request_launch(host: Host, uid: str, **options: Any) -> None:
    """As `launch` on this environment's packages, without the seconds that the command line takes.

    Raises RuntimeError with what the server says of a launch that fails.
    """
    words = {"model_name": "internvl2", "model_uid": uid, "enable_virtual_env": False, **options}
    RESTfulClient(host.url).launch_model(**words)


def wait_until_ready(model: Served, seconds: float = READY_SECONDS) -> Served:
    """The host reports vLLM as launched while its engine still starts."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            model.chat({"role": "user", "content": "?"}, max_tokens=1)
            return model
        except openai.APIStatusError as error:
            if error.status_code != 503 or time.monotonic() > deadline:
                raise
            time.sleep(1)
