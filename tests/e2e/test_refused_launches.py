"""Launches that cannot be: each is told in one sentence, on one server for all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.host import Host
from tests.support.served import launch, request_launch
from tests.tiny import edit_config, make_checkpoint

pytestmark = pytest.mark.e2e

DOCTOR = ". All that is wrong with it: xinference-internvl2 doctor "


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, and with some that a user has taken for one."""
    folder = tmp_path_factory.mktemp("checkpoints")
    whole = make_checkpoint(folder / "above" / "whole", backbone="qwen2")
    for name in ("new-format", "pickled", "truncated", "few-rows"):
        shutil.copytree(whole, folder / name)
    edit_config(folder / "new-format", lambda config: config.update(model_type="internvl"))
    rows = json.loads((whole / "config.json").read_text())["llm_config"]["vocab_size"]
    tokenizer = json.loads((whole / "tokenizer_config.json").read_text())
    tokenizer["added_tokens_decoder"][str(rows)] = {"content": "[STAR]", "special": False}
    (folder / "few-rows/tokenizer_config.json").write_text(json.dumps(tokenizer))
    (folder / "pickled/model.safetensors").rename(folder / "pickled/pytorch_model.bin")
    weights = folder / "truncated/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    return folder


# The launch's own options in place of the usual → the sentence.
WRONG_LAUNCHES: list[tuple[dict[str, str], str]] = [
    ({"quantization": "int3"}, "internvl2 in format pytorch has no quantization int3"),
    ({"quantization": "Int4"}, "Int4 is of format awq"),
    ({"size_in_billions": "3"}, "has no size 3 (in billions of parameters); its sizes are 1, 2"),
    ({"model_format": "awq", "quantization": "Int4"}, "has no size 1"),
    ({"model_engine": "vLLM", "quantization": "8-bit"}, "quantization 8-bit is served by"),
    ({"model_engine": "Nonsense"}, "Nonsense does not serve internvl2"),
    ({"model_path": "/nowhere/at/all"}, "`model_path`: /nowhere/at/all File or directory does"),
    ({"model_path": "~/InternVL2-1B"}, "`model_path`: ~/InternVL2-1B File or directory does not"),
    ({"model_path": "InternVL2-1B"}, "`model_path`: InternVL2-1B File or directory does not"),
    ({"n_gpu": "99"}, "not greater than the number of GPUs"),
]


@pytest.mark.parametrize(("options", "named"), WRONG_LAUNCHES)
def test_what_cannot_be_launched_is_named(
    host: Host, checkpoints: Path, options: dict[str, str], named: str
) -> None:
    done = launch(host, "wrong", **{"model_path": str(checkpoints / "pickled"), **options})
    assert done.returncode != 0
    assert named in done.stderr
    assert "Traceback" not in done.stderr


class Fault(NamedTuple):
    """A launch that gets as far as the process of a model."""

    path: str
    sentence: str
    engine: str = "Transformers"
    options: Mapping[str, Any] = {}
    to_doctor: bool = True


FAULTS = (
    Fault("above/whole/config.json", "config.json is not a directory; give the folder of a"),
    Fault("above", "holds no config.json; did you mean {0}/above/whole?"),
    Fault("new-format", "take the repository whose name has no -hf"),
    Fault("truncated", "model.safetensors is truncated or not a safetensors file"),
    Fault("few-rows", 'token "[STAR]" with the id', "vLLM"),
    Fault("above/whole", "the vLLM engine has no option a", "vLLM", {"a": 3}, False),
)


@pytest.fixture(scope="module")
def told(host: Host, checkpoints: Path) -> dict[int, str]:
    """What the server says of each fault; they are launched beside each other."""

    def request(number: int, fault: Fault) -> str:
        usual = {"model_size_in_billions": 1, "model_format": "pytorch", "quantization": "none"}
        path = str(checkpoints / fault.path)
        with pytest.raises(RuntimeError) as caught:
            request_launch(
                host,
                f"fault-{number}",
                **usual,
                model_engine=fault.engine,
                model_path=path,
                **fault.options,
            )
        return str(caught.value)

    with ThreadPoolExecutor(3) as pool:
        return dict(enumerate(pool.map(request, range(len(FAULTS)), FAULTS)))


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_a_fault_is_told_and_leads_to_the_doctor(
    told: dict[int, str], checkpoints: Path, number: int
) -> None:
    fault = FAULTS[number]
    assert fault.sentence.format(checkpoints) in told[number]
    assert (DOCTOR in told[number]) == fault.to_doctor
    assert "Traceback" not in told[number]


def test_the_log_of_a_server_begins_without_an_alarm(host: Host) -> None:
    log = host.log.read_text("utf-8")
    assert "There is no xinference" not in log
