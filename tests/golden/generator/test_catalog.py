"""The host's whole catalog: imported, built again, and read by the host."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from generator.__main__ import main
from tests.support.host import find_package
from tests.tools import families

ROOT = Path(__file__).resolve().parents[3]
FAMILIES = Path("plugin/xinference_internvl2/families")
NOTES = {
    "redundant": re.compile(r"quantizations: beside 'model_src' Xinference does not read it"),
    "size": re.compile(r"_in_billions: '(\d+)' is written as \1, which means the same"),
    "shadowed": re.compile(r"\]: .* is already model_specs\[\d+\]; marked as shadowed"),
}  # fmt: skip


@dataclass
class Catalog:
    files: dict[str, Path]
    """The host's files, by the name of the family."""
    specs: Path
    built: Path
    notes: list[str]
    problems: str

    def original(self, name: str) -> Any:
        (record,) = json.loads(self.files[name].read_text("utf-8"))
        return record

    def rebuilt(self, name: str) -> Any:
        (record,) = json.loads((self.built / FAMILIES / f"{name}.json").read_text("utf-8"))
        return record


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The host's catalog, imported and built again."""
    folder = tmp_path_factory.mktemp("catalog")
    paths = sorted((find_package() / "model/llm/models").glob("*.json"))
    files = {json.loads(path.read_text("utf-8"))[0]["model_name"]: path for path in paths}
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        imported = main(["import", *map(str, paths), "-o", str(folder / "specs")])
    notes = errors.getvalue().splitlines()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        built = _build(folder)
    assert (imported, built) == (0, 0), errors.getvalue()
    return Catalog(files, folder / "specs", folder / "built", notes, errors.getvalue())


def _build(folder: Path) -> int:
    specs = sorted((folder / "specs").glob("*.yaml"))
    return main(["build", "--output", str(folder / "built"), *map(str, specs)])


def test_nothing_is_lost(catalog: Catalog) -> None:
    assert len(catalog.files) >= 171
    said = [re.search(r": (\S+): \$", note) for note in catalog.notes]
    named = {match[1] for match in said if match}
    for name in catalog.files:
        original, rebuilt = catalog.original(name), catalog.rebuilt(name)
        assert (original == rebuilt) or name in named, name
        assert families.read_as_host(original) == rebuilt, name


def test_the_comparison_that_people_run_finds_the_same(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = catalog.built / "docs/models"
    monkeypatch.setattr("sys.argv", ["families", "--pages", str(pages)])
    assert families.main() == 0
    said = capsys.readouterr().out.splitlines()
    total = len(catalog.files)
    assert said[0].startswith(f"{total} of {total} families: import ")
    assert "  0 families differ otherwise" in said
    assert said[-1] == f"pages: {total} are equal, 0 are not published"


def test_all_that_is_not_expressed_is_named(catalog: Catalog) -> None:
    kinds = [
        [kind for kind, pattern in NOTES.items() if pattern.search(note)] for note in catalog.notes
    ]
    assert all(len(kind) == 1 for kind in kinds), catalog.notes
    originals = [catalog.original(name) for name in catalog.files]
    specs = [spec for record in originals for spec in record["model_specs"]]
    assert kinds.count(["redundant"]) == sum("quantizations" in spec for spec in specs)
    sizes = [spec.get(f"{k}_size_in_billions") for spec in specs for k in ("model", "activated")]
    assert kinds.count(["size"]) == sum(isinstance(s, str) and s.isdigit() for s in sizes)


def test_the_host_accepts_every_registration(catalog: Catalog) -> None:
    names = ("llm.schema.json", "common.schema.json")
    schemas = {
        name: json.loads((find_package() / "model/schemas" / name).read_text("utf-8"))
        for name in names
    }
    registry = Registry().with_resources(
        (name, Resource.from_contents(schema)) for name, schema in schemas.items()
    )
    validator = Draft202012Validator(schemas[names[0]], registry=registry)
    for name in catalog.files:
        assert [error.message for error in validator.iter_errors([catalog.rebuilt(name)])] == []


COMPARE = """
import json, sys
from xinference.model.llm.llm_family import LLMFamilyV2
from xinference.model.utils import flatten_quantizations

def read(path):
    (record,) = json.load(open(path, encoding="utf-8"))
    record["model_specs"] = [f for s in record["model_specs"] for f in flatten_quantizations(s)]
    return LLMFamilyV2.parse_obj(record).dict()

pairs = [line.split("\\t") for line in sys.stdin.read().splitlines()]
print(json.dumps([theirs for theirs, ours in pairs if read(theirs) != read(ours)]))
"""


@pytest.mark.host
def test_the_host_reads_the_same(catalog: Catalog, tmp_path: Path) -> None:
    built = catalog.built / FAMILIES
    pairs = [f"{path}\t{built / name}.json" for name, path in catalog.files.items()]
    result = subprocess.run(
        [sys.executable, "-c", COMPARE],
        input="\n".join(pairs),
        env=os.environ | {"XINFERENCE_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == []


def test_a_change_of_one_family_writes_its_files(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _build(catalog.specs.parent) == 0
    total = 2 * len(catalog.files)
    assert capsys.readouterr().out == f"0 written, {total} unchanged\n"
    spec = catalog.specs / "glm-4v.yaml"
    text = spec.read_text("utf-8")
    spec.write_text(text.replace("context_length: ", "context_length: 1"), "utf-8")
    try:
        assert _build(catalog.specs.parent) == 0
        *written, summary = capsys.readouterr().out.splitlines()
    finally:
        spec.write_text(text, "utf-8")
        assert _build(catalog.specs.parent) == 0
    assert [Path(line.removesuffix(": written")).name for line in written] == [
        "glm-4v.rst",
        "glm-4v.json",
    ]
    assert summary == f"2 written, {total - 2} unchanged"


def test_the_whole_catalog_takes_seconds(catalog: Catalog) -> None:
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        assert _build(catalog.specs.parent) == 0
    # A fifth of this on an idle machine; `make bench` measures it.
    assert time.process_time() - start < 4


def _launched(record: Any) -> list[Any]:
    """Return what can be launched, one entry for each hub and quantization, as the host does."""
    found = []
    for spec in record["model_specs"]:
        for hub, source in spec["model_src"].items():
            metadata = source.get("model_metadata_by_quantization", {})
            for quantization in source["quantizations"]:
                entry = {k: v for k, v in spec.items() if k != "model_src"} | source
                del entry["quantizations"]
                entry.pop("model_metadata_by_quantization", None)
                if metadata:
                    entry["model_metadata"] = metadata.get(quantization)
                for key in ("model_id", "model_file_name_template"):
                    if key in entry:
                        entry[key] = entry[key].replace("{quantization}", quantization)
                found.append(entry | {"model_hub": hub, "quantization": quantization})
    return [{key: value for key, value in entry.items() if value is not None} for entry in found]


def test_custom_models_come_back(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A custom model is written with an entry for each quantization, and null for what is not set.
    paths = []
    for name in list(catalog.files)[::5]:
        record = families.read_as_host(catalog.original(name))
        record |= {"model_specs": _launched(record), "is_builtin": False, "model_family": name}
        for entry in record["model_specs"]:
            entry |= dict.fromkeys(["model_uri", "draft_quantizations"]) | entry
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(record | {"cache_config": None}), "utf-8")
    assert main(["import", *map(str, paths), "-o", str(tmp_path / "specs")]) == 0
    assert _build(tmp_path) == 0
    notes = capsys.readouterr().err.splitlines()
    assert all(NOTES["shadowed"].search(note) for note in notes)
    for path in paths:
        (record,) = json.loads((tmp_path / "built" / FAMILIES / path.name).read_text("utf-8"))
        # As a set: one of them has an entry twice, word for word.
        mine, theirs = (
            {json.dumps(entry, sort_keys=True) for entry in _launched(data)}
            for data in (record, families.read_as_host(catalog.original(path.stem)))
        )
        assert mine == theirs, path.stem


HUBS = {
    "huggingface": ("Hugging Face", "https://huggingface.co"),
    "modelscope": ("ModelScope", "https://modelscope.cn/models"),
}


def _published(record: Any) -> str:
    """Return the page as the host's own documentation has it, without the engines.

    They are not in a registration: the host's generator asks its loaders for them.
    """
    name = record["model_name"]
    page = [
        f".. _models_llm_{name.lower()}:", "", "=" * 40, name, "=" * 40, "",
        f"- **Context Length:** {record['context_length']}",
        f"- **Model Name:** {name}",
        f"- **Languages:** {', '.join(record['model_lang'])}",
        f"- **Abilities:** {', '.join(record['model_ability'])}",
        f"- **Description:** {record['model_description']}",
        "", "Specifications", "^" * 14, "",
    ]  # fmt: skip
    for number, spec in enumerate(record["model_specs"], 1):
        page += _published_spec(name, number, spec)
    return "\n".join([*page, ""])


def _published_spec(name: str, number: int, spec: Any) -> list[str]:
    sources = {hub: spec["model_src"][hub] for hub in HUBS if hub in spec["model_src"]}
    first = next(iter(sources.values()))
    form, size = spec["model_format"], spec["model_size_in_billions"]
    links = [f"`{HUBS[hub][0]} <{HUBS[hub][1]}/{s['model_id']}>`__" for hub, s in sources.items()]
    return [
        "", f"Model Spec {number} ({form}, {size} Billion)", "+" * 40, "",
        f"- **Model Format:** {form}",
        f"- **Model Size (in billions):** {size}",
        f"- **Quantizations:** {', '.join(first['quantizations'])}",
        "- **Engines**: ",
        f"- **Model ID:** {first['model_id']}",
        f"- **Model Hubs**:  {', '.join(links)}",
        "",
        "Execute the following command to launch the model, "
        "remember to replace ``${quantization}`` with your",
        "chosen quantization method from the options listed above::",
        "",
        f"   xinference launch --model-engine ${{engine}} --model-name {name} "
        f"--size-in-billions {size} --model-format {form} --quantization ${{quantization}}",
        "",
    ]  # fmt: skip


def test_pages_follow_the_published_style(catalog: Catalog) -> None:
    for name in catalog.files:
        page = (catalog.built / f"docs/models/{name.lower()}.rst").read_text("utf-8")
        # What would be markup is escaped, which the host's own documentation forgets.
        record = families.read_as_host(catalog.original(name))
        assert re.sub(r"\\([\\*`|_])", r"\1", page) == _published(record)


def test_pages_are_read_without_a_warning(catalog: Catalog) -> None:
    core = pytest.importorskip("docutils.core")
    for name in list(catalog.files)[::10]:
        page = (catalog.built / f"docs/models/{name.lower()}.rst").read_text("utf-8")
        core.publish_doctree(page, settings_overrides={"halt_level": 2})


IMPORTS = Path(__file__).parent / "imports"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("older.json", "--modelscope", "older_modelscope.json"), 1),
        (("custom.json",), 1),
        (("catalog.json",), 0),
    ],
    ids=["older catalogs", "custom model", "catalog"],
)
def test_other_registrations(
    arguments: tuple[str, ...],
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in IMPORTS.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        os.utime(tmp_path / path.name, (1767323045, 1767323045))
    monkeypatch.chdir(tmp_path)
    assert main(["import", *arguments, "-o", "specs"]) == status
    printed = capsys.readouterr()
    said = Path(arguments[0]).with_suffix(".txt").name
    assert printed.out + printed.err == (IMPORTS / said).read_text("utf-8")
    for path in Path("specs").iterdir():
        assert path.read_text("utf-8") == (IMPORTS / path.name).read_text("utf-8")


@pytest.mark.parametrize("name", ["internvl2", "aurora-borealis-2.5-mixture-of-experts-instruct_"])
def test_published_page_comes_back(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    specs = [ROOT / "family_specs/internvl2.yaml", Path(__file__).with_name("aurora.yaml")]
    assert main(["build", "--output", str(tmp_path / "first"), *map(str, specs)]) == 0
    registrations = (tmp_path / "first" / FAMILIES).glob("*.json")
    (registration,) = (p for p in registrations if p.stem.lower() == name)
    pages = tmp_path / "first/docs/models"
    arguments = ["-o", str(tmp_path / "specs"), "--pages", str(pages)]
    assert main(["import", str(registration), *arguments]) == 0
    (spec,) = (tmp_path / "specs").iterdir()
    assert main(["build", "--output", str(tmp_path / "second"), str(spec)]) == 0
    again = tmp_path / "second/docs/models" / f"{name}.rst"
    assert again.read_bytes() == (pages / again.name).read_bytes()
    assert json.loads((tmp_path / "second" / FAMILIES / registration.name).read_text()) == (
        json.loads(registration.read_text())
    )
    assert capsys.readouterr().err == ""


def _older(record: Any, hub: str) -> Any:
    """Return a record as catalogs were before they had all hubs in one file."""
    specs = []
    for spec in record["model_specs"]:
        size = {key: spec[key] for key in ("model_format", "model_size_in_billions")}
        specs.append(size | spec["model_src"][hub])
        if hub != "huggingface":
            specs[-1]["model_hub"] = hub
    keys = ("context_length", "model_name", "model_lang", "model_ability", "model_description")
    return {"version": 1} | {key: record[key] for key in keys} | {"model_specs": specs}


def test_an_older_catalog_and_its_page_come_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,) = json.loads((ROOT / FAMILIES / "internvl2.json").read_text("utf-8"))
    paths = [tmp_path / f"{hub}.json" for hub in ("huggingface", "modelscope")]
    for path in paths:
        path.write_text(json.dumps([_older(record, path.stem)]), "utf-8")
    specs, built = tmp_path / "specs", tmp_path / "built"
    options = ["--modelscope", str(paths[1]), "--pages", str(ROOT / "docs/models")]
    assert main(["import", str(paths[0]), *options, "-o", str(specs)]) == 1
    assert (
        "missing key 'architectures' or 'model_family'; add one of them" in capsys.readouterr().err
    )
    spec = specs / "internvl2.yaml"
    spec.write_text(spec.read_text("utf-8") + "architectures: [InternVLChatModel]\n", "utf-8")
    assert main(["build", "--output", str(built), str(spec)]) == 0
    page = Path("docs/models/internvl2.rst")
    assert (built / page).read_bytes() == (ROOT / page).read_bytes()
    (again,) = json.loads((built / FAMILIES / "internvl2.json").read_text("utf-8"))
    assert again["model_specs"] == record["model_specs"]


def test_page_that_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registration = IMPORTS / "catalog.json"
    arguments = ["import", str(registration), "--pages", str(tmp_path)]
    assert main(arguments) == 0
    missing = capsys.readouterr().err.splitlines()[-1]
    (tmp_path / "nova-2.rst").write_text("- **Engines**: vLLM\n", "utf-8")
    assert main(arguments) == 0
    short = capsys.readouterr().err.splitlines()[-1]
    assert missing.endswith("$: no engines from nova-2.rst: there is no such file; check the name")
    (tmp_path / "nova-2.rst").write_text("- **Engines**: vLLM\n" * 5, "utf-8")
    assert main(arguments) == 0
    long = capsys.readouterr().err.splitlines()[-1]
    assert long.endswith("$: no engines from nova-2.rst: it has 5 checkpoints instead of 4")
    (tmp_path / "nova-2.rst").write_text("- **Engines**: vLLM (vLLM >= 1)\n" * 4, "utf-8")
    assert main(arguments) == 0
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith("$.model_specs[3]: the page says 'vLLM >= 1' of the engines; left out")
    )
    assert short.endswith("$: no engines from nova-2.rst: it has 1 checkpoints instead of 4")
