"""The page about fine-tuned checkpoints: its commands as they are written but for paths and the
address, on a server of its own, which is started again."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from xinference.client import RESTfulClient

from tests.engines.conftest import needs_vllm
from tests.shapes.export import export, read_state
from tests.shapes.showcase import CONTENTS, draw_shapes
from tests.support.chat.media import encode
from tests.support.host import BIN, Host
from tests.support.served import Served, request_launch, wait_until_ready
from tests.tiny import edit_config, quantize_awq
from tests.tiny.lora import make_matrices, write_adapter, write_merged
from tests.tiny.resaved import resave
from xinference_internvl2.transformers.model.from_checkpoint import load_model

from .conftest import VLLM_AT_ONCE

pytestmark = pytest.mark.e2e
DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "finetuned.rst").read_text(encoding="utf-8")
# Name → rank and seed, with which the answers are far from each other.
ADAPTERS = {"receipts": (24, 1), "charts": (12, 12)}
QUESTION = {"role": "user", "content": "How many corners does a triangle have?"}
VLLM = {"model_engine": "vLLM", "dtype": "float32", **VLLM_AT_ONCE}


def commands() -> list[list[str]]:
    """The words of every command of the page."""
    blocks = re.findall(r"\.\. code-block:: sh\n\n((?:   .*\n)+)", PAGE)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    return [shlex.split(line) for line in lines]


def command(*words: str) -> list[str]:
    """The first command of the page with all of these words."""
    return next(line for line in commands() if {*words} <= {*line})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What training left: a checkpoint that sees, two adapters for it, and a picture."""
    folder = tmp_path_factory.mktemp("finetuned")
    output = resave(export(folder / "output", "internlm2", read_state(), dtype="float32"))
    for name, (rank, seed) in ADAPTERS.items():
        matrices = make_matrices(output, rank=rank, parts=("language_model",), seed=seed)
        write_adapter(folder / name, matrices)
        write_merged(output, folder / f"merged-{name}", matrices)
    (folder / "picture.jpg").write_bytes(encode(draw_shapes()))
    return folder


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A server that was started again after the registration."""
    host = Host(tmp_path_factory.mktemp("server"))
    with host:
        found = run(folder, "xinference-internvl2", command("doctor"))
        registration = json.loads(found[found.index("\n{") :])
        text = json.dumps({**registration, "model_name": "my-model"})
        (folder / "my-model.json").write_text(text, encoding="utf-8")
        host_command(host, folder, "register")
    with host:
        yield host


def adapted(folder: Path, words: list[str]) -> list[str]:
    return [
        word.replace("/path/to", str(folder))
        if word.startswith("/path/to/")
        else {"my-model.json": str(folder / "my-model.json")}.get(word, word)
        for word in words
    ]


def run(folder: Path, program: str, words: list[str]) -> str:
    assert words[0] == program
    done = subprocess.run(
        [BIN / program, *adapted(folder, words)[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def host_command(host: Host, folder: Path, *words: str) -> None:
    program, *rest = adapted(folder, command(*words))
    assert program == "xinference"
    done = host.cli(*rest)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def mine(server: Host, folder: Path) -> Iterator[Served]:
    host_command(server, folder, "launch", "my-model")
    yield wait_until_ready(Served(server, "my-model", folder / "output"))
    RESTfulClient(server.url).terminate_model("my-model")


def request_mine(server: Host, folder: Path, **options: Any) -> Served:
    """Launch it with its adapters, without the seconds that the command line takes."""
    adapters = [{"lora_name": x, "local_path": str(folder / x)} for x in ADAPTERS]
    words = {"model_name": "my-model", "model_size_in_billions": 1, "model_format": "pytorch"}
    words |= {"quantization": "none", "peft_model_config": {"lora_list": adapters}}
    uid = str(options.pop("model_uid"))
    request_launch(server, uid, **words, **options)
    return wait_until_ready(Served(server, uid, folder / "output"))


@pytest.fixture(scope="module")
def on_vllm(server: Host, folder: Path) -> Iterator[Served]:
    yield request_mine(server, folder, model_uid="on-vllm", **VLLM)
    RESTfulClient(server.url).terminate_model("on-vllm")


@pytest.fixture(scope="module")
def likeliest(folder: Path, mine: Served) -> dict[str | None, float]:
    """Adapter → the logprob of the first token, of the checkpoint that was merged before."""
    ids = torch.tensor([mine.chat(QUESTION, extra_body={"render": True}).prompt_token_ids])
    found: dict[str | None, float] = {}
    for name in (None, *ADAPTERS):
        path = folder / (f"merged-{name}" if name else "output")
        with torch.inference_mode():
            logits = load_model(path, dtype="float32")(input_ids=ids).logits
        found[name] = float(logits[0, -1].log_softmax(-1).max())
    return found


def first(model: Served, adapter: str | None) -> float:
    options = {"extra_body": {"lora_name": adapter}} if adapter else {}
    answer = model.chat(QUESTION, temperature=0, logprobs=True, **options)
    return float(answer.choices[0].logprobs.content[0].logprob)


def ask_at_once(model: Served, likeliest: dict[str | None, float]) -> None:
    """All adapters and the model itself, twice each."""
    assert len({round(value, 1) for value in likeliest.values()}) == len(likeliest)
    with ThreadPoolExecutor(6) as threads:
        found = threads.map(lambda name: (name, first(model, name)), [*likeliest] * 2)
        for name, logprob in found:
            assert logprob == pytest.approx(likeliest[name], abs=1e-3), name


def test_the_page_has_no_other_commands() -> None:
    assert len(commands()) == 7
    for program, *_ in commands():
        assert program in ("xinference", "xinference-internvl2", "python")


def test_it_is_launched_by_its_path(server: Host, folder: Path) -> None:
    host_command(server, folder, "launch", "/path/to/output")
    model = wait_until_ready(Served(server, "internvl2", folder / "output"))
    assert model.chat(QUESTION, temperature=0).choices[0].message.content == "three"
    RESTfulClient(server.url).terminate_model("internvl2")


def test_transformers_answers_with_every_adapter(mine: Served, likeliest: Any) -> None:
    ask_at_once(mine, likeliest)
    refusal = mine.refusal(QUESTION, extra_body={"lora_name": "invoices"})
    assert "lora_name" in refusal
    assert "charts, receipts" in refusal


@needs_vllm
def test_vllm_answers_with_every_adapter(on_vllm: Served, likeliest: Any) -> None:
    ask_at_once(on_vllm, likeliest)
    assert "charts, receipts" in on_vllm.refusal(QUESTION, extra_body={"lora_name": "invoices"})


def test_the_doctor_answers_as_the_server_does(folder: Path) -> None:
    assert run(folder, "xinference-internvl2", command("doctor", "--ask")).strip() == CONTENTS


@needs_vllm
def test_both_engines_are_shown_side_by_side(mine: Served, on_vllm: Served, folder: Path) -> None:
    script = (DOCS / "side_by_side.py").read_text(encoding="utf-8")
    assert "http://127.0.0.1:9997" in script
    text = script.replace("http://127.0.0.1:9997", mine.host.url)
    (folder / "side_by_side.py").write_text(text, encoding="utf-8")
    _, *words = command("side_by_side.py")
    assert words[-2:] == ["on-transformers", "on-vllm"]
    done = subprocess.run(
        [sys.executable, *words[:-2], mine.uid, on_vllm.uid],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) > 3
    for line in lines:
        one, other = line[: len(line) // 2], line[len(line) // 2 :]
        assert one[1:] == other[1:]
        assert float(one[0]) == pytest.approx(float(other[0]), abs=2e-3)


OTHERS = {"awq": ("awq", "Int4", "internvl2"), "another": ("pytorch", "none", "InternVL2.5")}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_are_registered_too(server: Host, tmp_path: Path, kind: str) -> None:
    """AWQ, and one of another family: offered for both engines, and right."""
    model_format, quantization, family = OTHERS[kind]
    path = export(tmp_path / "plain", "internlm2", read_state())
    if kind == "awq":
        path = quantize_awq(path, tmp_path / "awq")
    else:
        edit_config(path, lambda config: config.update(template="internvl2_5"))
    spec = {"model_format": model_format, "model_size_in_billions": 2, "model_id": None}
    registration = {
        "version": 2,
        "model_name": f"my-{kind}",
        "model_family": family,
        "context_length": 2048,
        "model_lang": ["en"],
        "model_ability": ["chat", "vision"],
        "model_specs": [{**spec, "quantization": quantization, "model_uri": path.as_uri()}],
    }
    client = RESTfulClient(server.url)
    client.register_model("LLM", json.dumps(registration), persist=False)
    engines = server.get(f"/v1/engines/my-{kind}")
    assert "Transformers" in engines
    request_launch(
        server,
        f"my-{kind}",
        model_name=f"my-{kind}",
        model_engine="Transformers",
        model_size_in_billions=2,
        model_format=model_format,
        quantization=quantization,
    )
    model = wait_until_ready(Served(server, f"my-{kind}", path))
    assert model.chat(QUESTION, temperature=0).choices[0].message.content == "three"
    client.terminate_model(f"my-{kind}")
    client.unregister_model("LLM", f"my-{kind}")


def test_it_is_taken_back(server: Host, folder: Path, mine: Served) -> None:
    """The last one: its file is gone, so the next server does not know it either."""
    assert list(server.home.rglob("my-model.json"))
    host_command(server, folder, "unregister")
    assert not list(server.home.rglob("my-model.json"))
    names = {found["model_name"] for found in server.get("/v1/model_registrations/LLM")}
    assert "my-model" not in names
    with pytest.raises(RuntimeError, match="my-model"):
        request_mine(server, folder, model_uid="again", model_engine="Transformers")
