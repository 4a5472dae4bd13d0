"""`make demo`: from nothing to pictures described through a real server, step by step.

It is of the checkout, as the first look and as a check in CI: it takes models of the hub too, draws
pictures and a video anew, shows them in the terminal and on one sheet, and fails on a wrong answer.
`xinference-internvl2 demo`, in the plugin's `demo/run.py`, is what the wheel brings: a few fixed
pictures, and nothing that only tests have.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai

from tests.shapes.chats import CHECKPOINT, make_messages
from tests.shapes.contact_sheet import Card, draw_contact_sheet
from tests.shapes.showcase import SHOWCASE, Exhibit
from tests.support.chat.media import encode
from tests.support.host import Host
from tests.tools.terminal import format_inline_image
from xinference_internvl2.families import records as runtime

UID = "internvl2-demo"
OUTPUT = Path("build/demo")


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


def choose_launch_options(model: str | None) -> list[str]:
    """Options that choose the model: the small one of this repository, or one of the hub by its
    id."""
    if model is None:
        size, model_format, place = "1", "pytorch", ["--model-path", str(CHECKPOINT)]
    else:
        size, model_format, place = *_find_published(model), []
    quantization = "Int4" if model_format == "awq" else "none"
    return [
        *("--size-in-billions", size, "--model-format", model_format),
        *("--quantization", quantization, *place),
    ]


def _find_published(model: str) -> tuple[str, str]:
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


def show(exhibit: Exhibit) -> None:
    """Write the pictures to files, and into a terminal that can show them."""
    files = exhibit.make_files()
    for name, data in files.items():
        (OUTPUT / name).write_bytes(data)
    print(f"\n    {', '.join(str(OUTPUT / name) for name in files)}: {exhibit.about}")
    for still in exhibit.draw_stills():
        print(format_inline_image(encode(still), isatty=sys.stdout.isatty()), end="")


def ask(host: Host, exhibit: Exhibit) -> str:
    """Ask the model, print the answer while it comes, and return it."""
    # vLLM counts as launched while its engine still starts, and answers 503 until it has.
    client = openai.OpenAI(base_url=f"{host.url}/v1", api_key="none", timeout=600, max_retries=60)
    print(f"    question: {exhibit.question.text}\n    answer: ", end="", flush=True)
    stream = client.chat.completions.create(
        model=UID,
        messages=list(make_messages(exhibit.sample, exhibit.question, exhibit.make_urls())),  # type: ignore[arg-type]
        max_tokens=32,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    answer = ""
    for chunk in stream:
        if chunk.choices and (text := chunk.choices[0].delta.content):
            answer += text
            print(text, end="", flush=True)
        if chunk.usage:
            usage = chunk.usage
    print(f"  ({usage.prompt_tokens} tokens in, {usage.completion_tokens} out)")
    return answer


def ask_all(host: Host, *, answers_known: bool) -> None:
    """Ask every question of the showcase, and put all into one picture.

    Raises RuntimeError for an answer that is known to be wrong.
    """
    cards, wrong = [], []
    for exhibit in SHOWCASE:
        show(exhibit)
        answer = ask(host, exhibit)
        right = answer == exhibit.question.answer if answers_known else None
        cards.append(Card(exhibit.draw_stills(), exhibit.question.text, answer, right))
        if right is False:
            wrong.append(f"{exhibit.question.text} is {exhibit.question.answer!r}, not {answer!r}")
    draw_contact_sheet(cards).save(OUTPUT / "sheet.png", optimize=True)
    print(f"\n    all of it is in {OUTPUT / 'sheet.png'}")
    if wrong:
        raise RuntimeError("; ".join(wrong))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="Transformers", help="engine of the host")
    parser.add_argument("--model", help="a model id on Hugging Face instead of the small model")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="internvl2-demo-"))
    OUTPUT.mkdir(parents=True, exist_ok=True)
    step = Steps(work / "server.log")
    with step("Start xinference-local"):
        host = Host(work).__enter__()
    try:
        with step("Launch the model"):
            launch(host, options.engine, choose_launch_options(options.model))
        with step("Ask about pictures and a video"):
            ask_all(host, answers_known=options.model is None)
    finally:
        with step("Stop the server"):
            host.__exit__()
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
