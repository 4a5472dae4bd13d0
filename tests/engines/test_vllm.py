"""vLLM without the host: what our entry point gives it, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.install.environment import Environment
from tests.support.host import find_free_port
from tests.tiny import make_checkpoint
from xinference_internvl2.chat.build_prompt import render

from .conftest import needs_vllm

pytestmark = [
    pytest.mark.e2e,
    needs_vllm,
]
READY_SECONDS = 240


@contextmanager
def serving(environment: Environment, checkpoint: Path, log: Path) -> Iterator[str]:
    """`vllm serve` on a free port, stopped with everything that it started."""
    port = find_free_port()
    options = {
        "--port": port,
        "--dtype": "float32",
        "--max-model-len": 1024,
        "--max-num-seqs": 4,
        "--gpu-memory-utilization": 0.1,
    }
    words = [str(word) for option in options.items() for word in option]
    # What `vllm serve` runs; the command itself does not start from the CPU build, which is
    # another distribution than the one whose version it asks for.
    server = ["-m", "vllm.entrypoints.openai.api_server", "--model", checkpoint]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [environment.python, *server, "--enforce-eager", *words],
            env={**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + READY_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
                break
            time.sleep(1)
        else:
            pytest.fail(log.read_text()[-3000:])
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)


def post(url: str, path: str, **body: Any) -> Any:
    request = urllib.request.Request(
        f"{url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def test_plain_vllm_serves_our_checkpoints(without_host: Environment, tmp_path: Path) -> None:
    """Its chat endpoint renders the prompt format, its tokenizer is ours, no code runs."""
    checkpoint = make_checkpoint(tmp_path / "checkpoint", backbone="internlm2", dtype="float32")
    marker = tmp_path / "ran"
    for name in ("configuration_internvl_chat", "tokenization_internlm2", "modeling_internlm2"):
        code = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"
        (checkpoint / f"{name}.py").write_text(code)
    missing = without_host.run("-c", "import xinference", check=False)
    assert "No module named 'xinference'" in missing.stderr
    message = {"role": "user", "content": "What is it? 请用中文。"}
    options: dict[str, Any] = {"temperature": 0, "max_tokens": 8, "model": str(checkpoint)}
    with serving(without_host, checkpoint, tmp_path / "log") as url:
        chat = post(url, "/v1/chat/completions", messages=[message], **options)
        prompt = render([message], "internlm2-chat").text
        plain = post(url, "/v1/completions", prompt=prompt, **options)
    assert chat["choices"][0]["message"]["content"] == plain["choices"][0]["text"]
    assert chat["usage"] == plain["usage"]
    assert not marker.exists()


LEFT_ALONE = """
import json, pickle, sys
from vllm.transformers_utils import config as vllm_config
from xinference_internvl2.vllm import checkpoint_family
from xinference_internvl2.vllm import entry_point as vllm_plugin

def outcome(folder, **options):
    try:
        return type(vllm_config.get_config(folder, trust_remote_code=False, **options)).__name__
    except Exception as error:
        return f"{type(error).__name__}: {error}"

before = [outcome(folder) for folder in sys.argv[1:]]
vllm_plugin.register()
vllm_plugin.register()
after = [outcome(folder) for folder in sys.argv[1:]]
families = ["InternVL2.5", "InternVL2.5-MPO", "internvl2", "of somebody else"]
key = "internvl2_family"
named = {name: outcome(sys.argv[2], hf_overrides_kw={key: name}) for name in families}
again = outcome(sys.argv[2])
# In another process, which has the configuration from this one by pickle.
overrides = {key: families[0]}
config = vllm_config.get_config(sys.argv[2], trust_remote_code=False, hf_overrides_kw=overrides)
sent = pickle.dumps(config)
checkpoint_family._families.clear()
received = pickle.loads(sent)
named["sent"] = outcome(sys.argv[2])
assert received.internvl2_family == families[0]
print("outcomes:" + json.dumps([before, after, named, again]))
"""
# What InternVL3 has and InternVL2.5 has not: nothing that could not be in one of either.
INTERNVL3 = {"template": "internvl2_5", "system_message": None, "hidden_size": 64}


def test_later_internvl_models_are_left_to_vllm(tmp_path: Path) -> None:
    """They share the model type, and InternVL3 all that tells the others apart."""
    folders = []
    for name, change in {
        "ours": {},
        "InternVL2.5": {"template": "internvl2_5"},
        "InternVL3": INTERNVL3,
        "InternVL3.5": {"llm_config": {"architectures": ["Qwen3ForCausalLM"]}},
    }.items():
        folder = make_checkpoint(tmp_path / name, backbone="qwen2")
        values = json.loads((folder / "config.json").read_text())
        values |= {"auto_map": {"AutoConfig": "configuration_internvl_chat.InternVLChatConfig"}}
        (folder / "config.json").write_text(json.dumps({**values, **change}))
        folders.append(str(folder))
    done = subprocess.run(
        [sys.executable, "-c", LEFT_ALONE, *folders],
        env={**os.environ, "VLLM_PLUGINS": "none", "HF_HUB_OFFLINE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("outcomes:"))
    before, after, named, again = json.loads(line.removeprefix("outcomes:"))
    assert after[0] == "InternVLChatConfig" != before[0]
    assert after[1:] == before[1:]
    # Of a family that has the prompt format, and of no other.
    assert named["InternVL2.5"] == named["InternVL2.5-MPO"] == "InternVLChatConfig"
    assert named["sent"] == "InternVLChatConfig"
    assert named["internvl2"] == named["of somebody else"] == again == before[1]


BROKEN = """
import sys
sys.modules["vllm.tokenizers.hf"] = None
from xinference_internvl2.vllm.entry_point import register
register()
print("vLLM goes on")
"""


def test_another_version_of_vllm_goes_on_without_us() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROKEN], capture_output=True, text=True, timeout=120, check=False
    )
    assert "vLLM goes on" in done.stdout, done.stderr
    assert "could not teach vLLM the InternVL2 checkpoints" in done.stdout + done.stderr


MISSING = """
import sys
sys.modules["vllm"] = None
from xinference_internvl2.vllm.host_model import InternVL2VLLMModel
print("reason:", InternVL2VLLMModel.check_lib()[1])
"""


def test_a_missing_vllm_is_named_with_the_remedy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MISSING], capture_output=True, text=True, timeout=120, check=False
    )
    found = "vLLM cannot be imported here; install it beside Xinference with pip install "
    assert f"reason: {found}" in done.stdout, done.stderr
