"""`make demo`: from nothing to a picture described through a real server, step by step."""

from __future__ import annotations

import argparse
import base64
import io
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
from PIL import Image, ImageDraw

from xinference_internvl2 import runtime

from .host import Host
from .tiny import make_checkpoint

QUESTION = "What is in the picture?"
UID = "internvl2-demo"


def picture() -> Image.Image:
    """A red circle, a blue square and a green triangle on white, 640 × 360."""
    image = Image.new("RGB", (640, 360), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 100, 200, 260), fill="red")
    draw.rectangle((240, 100, 400, 260), fill="blue")
    draw.polygon([(520, 100), (440, 260), (600, 260)], fill="green")
    return image


def data_uri(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


class Steps:
    """Prints what happens, and says which step failed and where the log is."""

    def __init__(self, log: Path) -> None:
        self._log, self._count = log, 0

    @contextmanager
    def __call__(self, title: str) -> Iterator[None]:
        self._count += 1
        print(f"[{self._count}] {title} …", flush=True)
        start = time.monotonic()
        try:
            yield
        except BaseException as error:
            print(f"[{self._count}] {title}: failed: {error}", file=sys.stderr)
            if self._log.exists():
                print(f"The server's log is {self._log}", file=sys.stderr)
            raise SystemExit(1) from None
        print(f"    done in {time.monotonic() - start:.1f} s", flush=True)


def launch_options(model: str | None, checkpoint: Path) -> list[str]:
    """Options that choose the model: a checkpoint made here, or one of the hub by its id."""
    if model is None:
        size, model_format, place = "1", "pytorch", ["--model-path", str(checkpoint)]
    else:
        size, model_format, place = *_published(model), []
    quantization = "Int4" if model_format == "awq" else "none"
    return [
        *("--size-in-billions", size, "--model-format", model_format),
        *("--quantization", quantization, *place),
    ]


def _published(model: str) -> tuple[str, str]:
    (family,) = json.loads((runtime.FAMILIES / "internvl2.json").read_text(encoding="utf-8"))
    for spec in family["model_specs"]:
        if spec["model_src"]["huggingface"]["model_id"] == model:
            return str(spec["model_size_in_billions"]), spec["model_format"]
    raise ValueError(f"{model} is not one of the family's models on Hugging Face")


def launch(host: Host, engine: str, options: list[str]) -> None:
    words = ["--model-engine", engine, "--model-name", "internvl2", "--model-uid", UID, *options]
    print(f"    xinference launch {' '.join(words)}")
    done = host.cli("launch", *words, seconds=3600)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])


def ask(host: Host) -> None:
    client = openai.OpenAI(base_url=f"{host.url}/v1", api_key="none", timeout=600)
    image = picture()
    print(f"    picture: {image.width} × {image.height}, a circle, a square and a triangle")
    print(f"    question: {QUESTION}\n    answer: ", end="", flush=True)
    content = [
        {"type": "image_url", "image_url": {"url": data_uri(image)}},
        {"type": "text", "text": QUESTION},
    ]
    stream = client.chat.completions.create(
        model=UID,
        messages=[{"role": "user", "content": content}],  # type: ignore[list-item,misc]
        max_tokens=32,
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            print(chunk.choices[0].delta.content, end="", flush=True)
        if chunk.usage:
            usage = chunk.usage
    print(
        f"\n    usage: {usage.prompt_tokens} prompt tokens, {usage.completion_tokens} answer tokens"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="Transformers", help="engine of the host")
    parser.add_argument("--model", help="a model id on Hugging Face instead of random weights")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="internvl2-demo-"))
    step = Steps(work / "home" / "server.log")
    if options.model is None:
        with step("Make a small checkpoint in the original format (random weights)"):
            make_checkpoint(work / "checkpoint", backbone="qwen2")
    with step("Start xinference-local"):
        host = Host(work / "home").__enter__()
    try:
        with step("Launch the model"):
            launch(host, options.engine, launch_options(options.model, work / "checkpoint"))
        with step("Ask about a picture"):
            ask(host)
        if options.model is None:
            print("    (random weights know no words; use MODEL=OpenGVLab/InternVL2-1B for sense)")
    finally:
        with step("Stop the server"):
            host.__exit__()
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
