"""Whole generated files, and what the host makes of them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from generator.__main__ import main
from tests.support.host import find_package

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]

NAMES = ("llm.schema.json", "common.schema.json")
FAMILIES = Path("plugin/xinference_internvl2/families")
AURORA = "Aurora-Borealis-2.5-mixture-of-experts-instruct_"
PUBLISHED_PAGE = "67098f8f943c3075a402ce755e2208118db7b77b4a2e7c04dc7cf9c60b1d7c51"
REFERENCE = ROOT.parent / "shared/reference/internvl2.rst"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with everything that the three families generate."""
    folder = tmp_path_factory.mktemp("built")
    specs = [ROOT / "family_specs/internvl2.yaml", HERE / "aurora.yaml", HERE / "lumen.yaml"]
    assert main(["build", "--output", str(folder), *map(str, specs)]) == 0
    return folder


def test_published_page(built: Path) -> None:
    page = (built / "docs/models/internvl2.rst").read_bytes()
    assert hashlib.sha256(page).hexdigest() == PUBLISHED_PAGE


@pytest.mark.skipif(not REFERENCE.exists(), reason="no reference beside the repository")
def test_published_page_byte_for_byte(built: Path) -> None:
    assert (built / "docs/models/internvl2.rst").read_bytes() == REFERENCE.read_bytes()


def test_files_of_another_family(built: Path) -> None:
    page = (built / f"docs/models/{AURORA.lower()}.rst").read_text("utf-8")
    registration = (built / FAMILIES / f"{AURORA}.json").read_text("utf-8")
    assert page == (HERE / "aurora.rst").read_text("utf-8")
    assert registration == (HERE / "aurora.json").read_text("utf-8")
    assert not (built / FAMILIES / f"{AURORA}.runtime.json").exists()
    assert not (built / f"docs/models/{AURORA.lower()}-engines.rst").exists()


def test_page_of_the_engines(built: Path) -> None:
    page = (built / "docs/models/lumen-vl-engines.rst").read_text("utf-8")
    assert page == (HERE / "lumen-engines.rst").read_text("utf-8")


def test_runtime_data(built: Path) -> None:
    data = json.loads((built / FAMILIES / "internvl2.runtime.json").read_text("utf-8"))
    assert list(data) == ["generated_from", "model_name", "prompt_formats", "model_specs"]
    assert data["prompt_formats"]["phi3-chat"] == {
        "system_text": "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，"
        "英文名叫InternVL, 是一个有用无害的人工智能助手。",
        "roles": {
            "system": "<|system|>\n",
            "user": "<|user|>\n",
            "assistant": "<|assistant|>\n",
        },
        "turn_end": "<|end|>",
        "stop": ["<|end|>"],
        "image_labels": True,
    }
    assert data["model_specs"][3] == {
        "model_format": "pytorch",
        "model_size_in_billions": 4,
        "engines": {"Transformers": ["4-bit", "8-bit", "none"], "vLLM": ["none"]},
        "memory": {
            "weights": {"4-bit": 2915401728, "8-bit": 4673896448, "none": 8293711872},
            # 2 for keys and values, of 2 bytes, in 32 layers with 32 heads of 96
            "kv_cache_per_token": 2 * 2 * 32 * 32 * 96,
            "feed_forward_per_token": 2 * (4 * 3072 + 4 * 8192),
            "attention_per_token": 2 * (2 * 3072 + 2 * 3072 + 2 * 3072),
            "copies_per_token": 0,  # every query head has keys of its own
            "tower_per_tile": 2 * (1025 * (5 * 1024 + 2 * 4096) + 3 * 448**2),
            "kept_per_tile": 3 * 448**2 + 2 * 256 * 3072,
        },
    }
    assert len(data["model_specs"]) == 12


def _records(built: Path) -> dict[str, Any]:
    names = ("internvl2", AURORA)
    return {n: json.loads((built / FAMILIES / f"{n}.json").read_text("utf-8")) for n in names}


def test_registration(built: Path) -> None:
    (record,) = _records(built)["internvl2"]
    assert record["version"] == 2
    assert record["updated_at"] == 1795305600
    metadata = {
        "vocab_size": 92553,
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "vision": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "spatial_merge_size": 2,
        },
        "weights_bytes": 2176075776,
    }
    assert record["model_specs"][2] == {
        "model_format": "awq",
        "model_size_in_billions": 2,
        "model_src": {
            "huggingface": {
                "quantizations": ["Int4"],
                "model_id": "OpenGVLab/InternVL2-2B-AWQ",
                "model_metadata_by_quantization": {"Int4": metadata},
            },
            "modelscope": {
                "quantizations": ["Int4"],
                "model_id": "OpenGVLab/InternVL2-2B-AWQ",
                "model_revision": "master",
                "model_metadata_by_quantization": {"Int4": metadata},
            },
        },
    }


def test_registrations_pass_the_schema_of_the_host(built: Path) -> None:
    schemas = find_package() / "model/schemas"
    files = {name: json.loads((schemas / name).read_text("utf-8")) for name in NAMES}
    registry = Registry().with_resources(
        (name, Resource.from_contents(schema)) for name, schema in files.items()
    )
    validator = Draft202012Validator(files[NAMES[0]], registry=registry)
    for record in _records(built).values():
        assert [error.message for error in validator.iter_errors(record)] == []


PARSE = """
import json, sys
from xinference.model.llm.llm_family import LLMFamilyV2
from xinference.model.utils import flatten_quantizations
for path in sys.argv[1:]:
    (record,) = json.load(open(path, encoding="utf-8"))
    record["model_specs"] = [f for s in record["model_specs"] for f in flatten_quantizations(s)]
    family = LLMFamilyV2.parse_obj(record)
    specs = [[s.model_format, s.model_size_in_billions, s.quantization, s.model_hub, s.model_id]
             for s in family.model_specs]
    print(json.dumps([family.model_name, family.architectures, specs]))
"""


@pytest.mark.host
def test_host_parses_the_registrations(built: Path, tmp_path: Path) -> None:
    paths = [str(built / FAMILIES / f"{name}.json") for name in ("internvl2", AURORA)]
    result = subprocess.run(
        [sys.executable, "-c", PARSE, *paths],
        env=os.environ | {"XINFERENCE_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    ours, aurora = (json.loads(line) for line in result.stdout.splitlines()[-2:])
    assert ours[:2] == ["internvl2", ["InternVLChatModel"]]
    # 7 pytorch specs of 3 quantizations and 5 of AWQ, each on two hubs.
    assert len({tuple(spec) for spec in ours[2]}) == 7 * 3 * 2 + 5 * 2
    assert ["awq", 2, "Int4", "modelscope", "OpenGVLab/InternVL2-2B-AWQ"] in ours[2]
    assert aurora[0] == AURORA
    assert {spec[1] for spec in aurora[2]} == {"1_8", 1000}
