"""What the host lists, launches and refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.host import Host
from tests.plugin.test_catalog import computes
from tests.tiny import make_checkpoint
from xinference_internvl2 import runtime

from .conftest import ENGINES, Served, data_uri, image_message, launch, picture

pytestmark = pytest.mark.e2e


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


def test_registrations_list_the_family(host: Host) -> None:
    done = host.cli("registrations")
    assert done.returncode == 0
    assert "internvl2" in done.stdout + done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_the_engine_query_is_the_specs_matrix(host: Host, engine: str) -> None:
    assert listed(host, engine) == matrix(engine)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that no launch gets to read the weights of."""
    path = make_checkpoint(tmp_path_factory.mktemp("checkpoint"), backbone="qwen2")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "ps_version": "v1"}))
    return path


WRONG_LAUNCHES: list[tuple[dict[str, str], str]] = [
    ({"quantization": "int3"}, "quantization: int3"),
    ({"size_in_billions": "3"}, "size: 3"),
    ({"model_engine": "vLLM", "quantization": "8-bit"}, "quantization 8-bit is served by"),
    ({"model_engine": "Nonsense"}, "Nonsense does not serve internvl2"),
    ({"model_path": "/nowhere/at/all"}, "/nowhere/at/all"),
]


@pytest.mark.parametrize(("options", "named"), WRONG_LAUNCHES)
def test_a_wrong_launch_names_the_cause(
    host: Host, checkpoint: Path, options: dict[str, str], named: str
) -> None:
    done = launch(host, "wrong", **{"model_path": str(checkpoint), **options})
    assert done.returncode != 0
    assert named in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_a_broken_checkpoint_names_the_cause(host: Host, checkpoint: Path, engine: str) -> None:
    done = launch(host, "broken", *ENGINES[engine], model_path=str(checkpoint), model_engine=engine)
    assert done.returncode != 0
    assert "ps_version is " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_truncated_shard_names_the_file(host: Host, tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path, backbone="qwen2", shards=2)
    shard = path / "model-00001-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    done = launch(host, "truncated", model_path=str(path))
    assert done.returncode != 0
    assert "model-00001-of-00002.safetensors is truncated" in done.stderr


def test_a_failing_generation_reaches_the_client(host: Host, tmp_path: Path) -> None:
    checkpoint = make_checkpoint(tmp_path / "nan", backbone="qwen2")
    weights = load_file(checkpoint / "model.safetensors")
    weights["language_model.lm_head.weight"].fill_(torch.nan)
    save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
    done = launch(host, "nan", model_path=str(checkpoint))
    assert done.returncode == 0, done.stderr
    model = Served(host, "nan", checkpoint)
    question = {"role": "user", "content": "?"}
    with pytest.raises(openai.InternalServerError):
        model.chat(question, temperature=1.0)
    with pytest.raises(openai.APIError):
        list(model.chat(question, temperature=1.0, stream=True))
    assert host.cli("terminate", "--model-uid", "nan").returncode == 0
    with pytest.raises(openai.APIStatusError):
        model.chat(question)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A server that loads the plugin the host's official way, and may read local media."""
    environment = {
        "XINFERENCE_INTERNVL2_AUTOLOAD": "0",
        "XINFERENCE_EXTENSIONS": "xinference_internvl2.extension:create",
        "XINFERENCE_ENABLE_VIRTUAL_ENV": "0",
        "XINFERENCE_MEDIA_ALLOW_LOCAL_PATH": "true",
        "XINFERENCE_MEDIA_BLOCK_PRIVATE_ADDRESS": "false",
    }
    with Host(tmp_path_factory.mktemp("extended"), **environment) as host:
        yield host


def test_the_official_way_serves_too(
    extended: Host, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert listed(extended, "Transformers") == matrix("Transformers")
    checkpoint = make_checkpoint(tmp_path / "phi3", backbone="phi3", vit="6b")
    done = launch(extended, "phi3", model_path=str(checkpoint), size_in_billions="4")
    assert done.returncode == 0, done.stderr
    model = Served(extended, "phi3", checkpoint)
    file = tmp_path / "picture.png"
    picture().save(file)
    by_uri = model.chat(image_message("?", data_uri(picture())))
    for url in (file.as_uri(), str(file)):
        assert model.chat(image_message("?", url)).choices == by_uri.choices
