"""The engine matrix: a server lists what the spec says, and its rows launch and answer right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from xinference.client import RESTfulClient

from generator.spec.load import load_one
from tests.install.environment import REPOSITORY
from tests.install.test_catalog import computes
from tests.shapes.export import export, read_state
from tests.shapes.showcase import CONTENTS, draw_shapes
from tests.support.host import Host
from tests.support.served import (
    Served,
    data_uri,
    image_message,
    launch,
    request_launch,
    wait_until_ready,
)
from tests.tiny import make_checkpoint, quantize_awq
from xinference_internvl2.families import records as runtime
from xinference_internvl2.vllm.cpu import explain_missing_awq_kernel

from .conftest import ENGINES, VLLM_AT_ONCE

pytestmark = pytest.mark.e2e

BACKBONES: dict[str, Any] = {
    "Qwen2ForCausalLM": "qwen2",
    "InternLM2ForCausalLM": "internlm2",
    "Phi3ForCausalLM": "phi3",
    "LlamaForCausalLM": "llama",
}
# All rows of Transformers, of which each takes seconds. The unquantized rows of vLLM are held
# against Transformers elsewhere, with every backbone.
FAMILY = load_one(REPOSITORY / "family_specs/internvl2.yaml").family
ROWS = {
    f"{support.engine} {spec.model_format} {quantization} {backbone}": (
        *(support.engine, spec, serving.backbone, quantization),
    )
    for spec, serving in reversed(FAMILY.served_specs)
    for backbone in (BACKBONES[serving.backbone],)
    for support in serving.engines
    for quantization in support.quantizations
    if support.engine == "Transformers" or (quantization, backbone) == ("Int4", "internlm2")
}
OPTIONS = {"vLLM": VLLM_AT_ONCE}

Maker = Callable[[str, str], Path]


def matrix(engine: str) -> dict[tuple[str, str], set[str]]:
    """(format, size) → quantizations that the spec says `engine` serves."""
    specs = json.loads((runtime.FAMILIES / "internvl2.runtime.json").read_text())["model_specs"]
    return {
        (spec["model_format"], str(spec["model_size_in_billions"])): set(spec["engines"][engine])
        for spec in specs
        if spec["engines"].get(engine) and computes(engine, spec["model_format"])
    }


def listed(host: Host, engine: str) -> dict[tuple[str, str], set[str]]:
    found: Any = host.get("/v1/engines/internvl2")[engine]
    assert isinstance(found, list), found
    return {
        (entry["model_format"], str(entry["model_size_in_billions"])): set(entry["quantizations"])
        for entry in found
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_the_engine_query_is_the_specs_matrix(host: Host, engine: str) -> None:
    assert listed(host, engine) == matrix(engine)


def test_the_command_line_prints_the_matrix(host: Host) -> None:
    done = host.cli("engine", "--model-name", "internvl2")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    rows = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("internvl2")]
    for engine in ENGINES:
        printed = {(row[1], row[2], row[3]) for row in rows if row[0] == engine}
        table = matrix(engine)
        assert printed == {(*spec, quantization) for spec in table for quantization in table[spec]}


def test_the_official_way_lists_the_matrix_too(extended: Host) -> None:
    assert listed(extended, "Transformers") == matrix("Transformers")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Makes a checkpoint that sees, of a backbone in a format, once each."""
    made: dict[tuple[str, str], Path] = {}

    def make(backbone: str, model_format: str) -> Path:
        if (backbone, model_format) not in made:
            folder = tmp_path_factory.mktemp(backbone)
            path = export(folder / "source", BACKBONES[backbone], read_state())
            awq = model_format == "awq"
            made[backbone, model_format] = quantize_awq(path, folder / "awq") if awq else path
        return made[backbone, model_format]

    return make


def test_awq_is_launched_as_a_user_does(host: Host, checkpoint: Maker) -> None:
    """In a virtual environment of the host, which would install the autoawq that nobody needs."""
    path = checkpoint("InternLM2ForCausalLM", "awq")
    options = {"model_format": "awq", "quantization": "Int4", "size_in_billions": "2"}
    done = launch(host, "awq", model_path=str(path), **options)
    assert done.returncode == 0, done.stderr
    assert Served(host, "awq", path).chat({"role": "user", "content": "?"}).usage.completion_tokens
    assert list((host.home / "virtualenv").rglob("site-packages"))
    assert not list((host.home / "virtualenv").rglob("autoawq*"))
    assert host.cli("terminate", "--model-uid", "awq").returncode == 0


def test_what_is_launched_as_something_else_is_named(
    host: Host, checkpoint: Maker, tmp_path: Path
) -> None:
    awq, plain = (checkpoint("InternLM2ForCausalLM", name) for name in ("awq", "pytorch"))
    gptq = make_checkpoint(tmp_path / "gptq", backbone="internlm2")
    (gptq / "quantize_config.json").write_text('{"bits": 4}')
    asked = "{} with quantization {} was asked"
    for engine, path, model_format, quantization, found in (
        ("Transformers", awq, "pytorch", "4-bit", "AWQ in 4 bit"),
        ("Transformers", plain, "awq", "Int4", "unquantized weights"),
        ("vLLM", gptq, "pytorch", "none", "weights quantized with gptq"),
    ):
        with pytest.raises(RuntimeError) as caught:
            request_launch(
                host,
                "wrong",
                model_engine=engine,
                model_size_in_billions=2,
                model_format=model_format,
                quantization=quantization,
                model_path=str(path),
            )
        assert f"holds {found}" in str(caught.value)
        assert asked.format(model_format, quantization) in str(caught.value)


@pytest.fixture(params=ROWS)
def row(request: pytest.FixtureRequest, host: Host, checkpoint: Maker) -> Iterator[Served]:
    engine, spec, backbone, quantization = ROWS[request.param]
    if engine == "vLLM" and (missing := explain_missing_awq_kernel()):
        pytest.skip(missing)
    uid = request.param.replace(" ", "-")
    path = checkpoint(backbone, spec.model_format)
    request_launch(
        host,
        uid,
        model_engine=engine,
        model_size_in_billions=spec.size,
        model_format=spec.model_format,
        quantization=quantization,
        model_path=str(path),
        **OPTIONS.get(engine, {}),
    )
    yield wait_until_ready(Served(host, uid, path))
    RESTfulClient(host.url).terminate_model(uid)


def test_every_row_of_the_matrix_is_launched_and_answers_right(row: Served) -> None:
    triangle = {"role": "user", "content": "How many corners does a triangle have?"}
    shapes = image_message("What is in the picture?", data_uri(draw_shapes()))
    for asked, right in ((triangle, "three"), (shapes, CONTENTS)):
        answer = row.chat(asked, temperature=0, max_tokens=32).choices[0]
        assert (answer.message.content, answer.finish_reason) == (right, "stop")
