"""Hosts that differ from the tested one: real copies, with one file changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.host import find_package
from xinference_internvl2.host.loader_classes import LOADERS

from .conftest import RECORD
from .environment import Environment

pytestmark = pytest.mark.host


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A copy of the host; all but the folders that lead to its LLM catalog are links."""
    original = find_package()
    copy = tmp_path / "host" / "xinference"
    for inner in (Path(), Path("model"), Path("model/llm")):
        (copy / inner).mkdir(parents=True)
        for entry in (original / inner).iterdir():
            if entry.name not in ("model", "llm", "models", "__pycache__"):
                (copy / inner / entry.name).symlink_to(entry)
    # The host refuses a catalog behind a symbolic link.
    shutil.copytree(original / "model/llm/models", copy / "model/llm/models")
    return copy


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.unlink()
    file.write_text(text.replace(old, new), encoding="utf-8")


def probe(installed: Environment, host: Path, home: Path) -> dict[str, Any]:
    return installed.probe("booted", home, {"PYTHONPATH": str(host.parent)})


def test_leaves_a_family_of_the_host_alone_and_warns_of_an_untested_version(
    installed: Environment, host: Path, tmp_path: Path
) -> None:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    record[0]["model_description"] = "Of the host."
    (host / "model/llm/models/internvl2.json").write_text(json.dumps(record))
    (host / "_version.py").unlink(missing_ok=True)
    (host / "_version.py").write_text("__version__ = '9.0.1+local'\n")
    found = probe(installed, host, tmp_path)
    assert found["families"]["internvl2"]["model_description"] == "Of the host."
    assert found["family_names"].count("internvl2") == 1
    rows = [row for rows in found["engines"]["internvl2"].values() for row in rows]
    assert {row[3] for row in rows} == {"InternVLChatModel"}
    untested, stepped_back = found["messages"]
    assert untested[0] == stepped_back[0] == "WARNING"
    tested = "was tested with xinference 4.0.0, 4.0.1, 4.1.0, not with 9.0.1; it goes on"
    assert tested in untested[1]
    assert "leaves internvl2 to Xinference, because xinference 9.0.1 has" in stepped_back[1]


def test_a_host_without_the_patch_point_works_without_the_family(
    installed: Environment, host: Path, tmp_path: Path
) -> None:
    change(host / "model/llm/__init__.py", "load_model_family_from_json", "read_catalog")
    found = probe(installed, host, tmp_path)
    assert "internvl2" not in found["families"]
    assert len(found["engines"]) > 100
    [(level, message)] = found["messages"]
    assert level == "ERROR"
    assert message.startswith("There is no xinference.model.llm.load_model_family_from_json, so")
    assert "use xinference 4.1.0." in message


def test_a_loader_that_cannot_be_imported_leaves_the_family_without_its_engine(
    installed: Environment, tmp_path: Path
) -> None:
    found = installed.probe("booted", tmp_path, {"UNIMPORTABLE": LOADERS[0].module})
    assert LOADERS[0].engine not in found["engines"]["internvl2"]
    assert len(found["engines"]) > 100
    [(level, message)] = found["messages"]
    assert level == "ERROR"
    assert f"cannot serve its families on {LOADERS[0].engine}, because" in message
    assert message.endswith("install what is missing, or use another engine.")
