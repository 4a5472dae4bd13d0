"""Real servers, started once, with real checkpoints launched through the real command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from xinference.client import RESTfulClient

from tests.shapes.chats import CHECKPOINT
from tests.shapes.showcase import draw_shapes
from tests.support.host import Host
from tests.support.hub import Hub
from tests.support.served import Served, data_uri, launch, request_launch, wait_until_ready
from tests.tiny import make_checkpoint

BOMB = "import pathlib; pathlib.Path({marker!r}).write_text('ran')\nraise SystemExit(1)\n"
CODE_FILES = (
    "configuration_internvl_chat.py",
    "modeling_internvl_chat.py",
    "configuration_internlm2.py",
    "modeling_internlm2.py",
    "tokenization_internlm2.py",
    "custom_generate/generate.py",
)


# In virtual environments of the host, as it launches by default. vLLM answers as many requests at
# once as the tests send, so that one which is given up and goes on would keep the next from it.
AT_ONCE = 8
ENGINES: dict[str, tuple[str, ...]] = {
    "Transformers": (),
    "vLLM": (
        *("--dtype", "float32"),
        *("--max_num_seqs", str(AT_ONCE)),
        *("--env", "VLLM_CPU_KVCACHE_SPACE", "1"),
    ),
}
# By itself vLLM compiles its model for half a minute; the launch above leaves it at that.
VLLM_AT_ONCE: dict[str, Any] = {
    "enforce_eager": True,
    "gpu_memory_utilization": 0.1,
    "max_model_len": 2048,
    "envs": {"VLLM_CPU_KVCACHE_SPACE": "1"},
}


def without_bytes(checkpoint: Path) -> Path:
    """Keep random weights from answering with the byte pieces of InternLM2's tokenizer: bytes
    that are no text are shown by each engine in its own way."""
    for file in checkpoint.glob("*.safetensors"):
        weights = load_file(file)
        if "language_model.output.weight" in weights:
            weights["language_model.output.weight"][3:259] = 0
            save_file(weights, file, {"format": "pt"})
    return checkpoint


def plant_code(checkpoint: Path, marker: Path) -> None:
    """Put files that leave `marker` when they are run where remote code would be looked for."""
    for name in CODE_FILES:
        file = checkpoint / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(BOMB.format(marker=str(marker)))


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A server as a user starts it after `pip install`: no variable, no option."""
    with Host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    """A hub that has nothing yet."""
    with Hub({}) as hub:
        yield hub


@pytest.fixture(scope="session")
def extended(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A server that loads the plugin the host's official way, without virtual environments; it may
    read local media, and downloads from `hub`."""
    home = tmp_path_factory.mktemp("extended")
    environment = {
        "XINFERENCE_INTERNVL2_AUTOLOAD": "0",
        "XINFERENCE_EXTENSIONS": "xinference_internvl2.host.extension_factory:create",
        "XINFERENCE_ENABLE_VIRTUAL_ENV": "0",
        "XINFERENCE_MEDIA_ALLOW_LOCAL_PATH": "true",
        "XINFERENCE_MEDIA_BLOCK_PRIVATE_ADDRESS": "false",
        "XINFERENCE_DOWNLOAD_MAX_ATTEMPTS": "1",
        "HF_ENDPOINT": hub.url,
        "HF_HUB_OFFLINE": "0",
    }
    with Host(home, **environment) as host:
        yield host


@pytest.fixture(scope="session")
def marker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What exists only if code of the checkpoint was run."""
    return tmp_path_factory.mktemp("marker") / "ran"


@pytest.fixture(scope="session", params=ENGINES)
def served(
    request: pytest.FixtureRequest,
    host: Host,
    marker: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """InternLM2 in float32 on one engine after the other, with code planted in its checkpoint."""
    folder = tmp_path_factory.mktemp("internlm2")
    made = make_checkpoint(folder, backbone="internlm2", dtype="float32", shards=2)
    checkpoint = without_bytes(made)
    plant_code(checkpoint, marker)
    engine = request.param
    options = {"model_engine": engine, "model_path": str(checkpoint), "size_in_billions": "2"}
    done = launch(host, engine.lower(), *ENGINES[engine], **options)
    assert done.returncode == 0, done.stderr
    yield wait_until_ready(Served(host, engine.lower(), checkpoint))
    assert host.cli("terminate", "--model-uid", engine.lower()).returncode == 0


STOP = "zebra"
"""Of the launch of `seeing`: a word that its model does not know."""


@pytest.fixture(scope="session", params=ENGINES)
def seeing(request: pytest.FixtureRequest, host: Host) -> Iterator[Served]:
    """The model that sees, on one engine after the other."""
    uid = f"seeing-{request.param.lower()}"
    request_launch(
        host,
        uid,
        model_engine=request.param,
        model_size_in_billions=1,
        model_format="pytorch",
        quantization="none",
        model_path=str(CHECKPOINT),
        stop=STOP,
        **(VLLM_AT_ONCE if request.param == "vLLM" else {}),
    )
    yield wait_until_ready(Served(host, uid, CHECKPOINT))
    RESTfulClient(host.url).terminate_model(uid)


PHI3_SYSTEM, PHI3_STOP = "You read labels.", "<|endoftext|>"
"""Of the launch of `phi3`."""


@pytest.fixture(scope="session")
def phi3(extended: Host, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A model that refuses a third request at once."""
    folder = tmp_path_factory.mktemp("phi3")
    checkpoint = make_checkpoint(folder, backbone="phi3", vit="6b", max_dynamic_patch=6)
    options = {"model_path": str(checkpoint), "model_size_in_billions": 4, "request_limits": 2}
    options |= {"model_engine": "Transformers", "model_format": "pytorch", "quantization": "none"}
    prompt = {"system": PHI3_SYSTEM, "stop": json.dumps([PHI3_STOP])}
    request_launch(extended, "phi3", **options, **prompt, max_dynamic_patch=4, num_frames=2)
    return Served(extended, "phi3", checkpoint)


@pytest.fixture(scope="session")
def picture_uri() -> str:
    return data_uri(draw_shapes())
