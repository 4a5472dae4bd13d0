"""`make families`: import every family of the installed Xinference, build it, and compare.

Registrations are compared fact by fact with Xinference's own, pages line by line with those in the
folder of `--pages`, Xinference's `doc/source/models/builtin/llm` of the same version: the package
itself brings none. What differs is printed with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generator.__main__ import main as generator
from tests.support.host import find_package

BUILT = "plugin/xinference_internvl2/families"
REASONS = {
    "quantizations: beside 'model_src' Xinference does not read it": "it does not read the key",
    "is written as": "9 and '9' are the same size",
    "marked as shadowed": "no key of a record: the host never launches this checkpoint",
}
LINES = {
    "- **Engines**": "engines: they depend on the machine where the page was made",
    "- **Description:**": "the description, with what would be markup escaped",
    "- **Model Hubs**": "hubs",
}


def main() -> int:
    """Print the comparison; the status is 1 where something differs without a reason."""
    parser = argparse.ArgumentParser("tests.tools.families", description=__doc__)
    parser.add_argument("--pages", type=Path, help="the published pages of the same version")
    options = parser.parse_args()
    files = sorted((find_package() / "model/llm/models").glob("*.json"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notes = _build(files, folder, options.pages)
        unexplained = _compare_registrations(files, folder / "built" / BUILT, notes)
        if options.pages:
            _compare_pages(options.pages, folder / "built/docs/models")
        else:
            print("pages: none to compare with; give a folder with --pages")
    return 1 if unexplained else 0


def _build(files: list[Path], folder: Path, pages: Path | None) -> list[str]:
    """Import and build the families, print how long it takes, and return what the import says."""
    where = ["--pages", str(pages)] if pages else []
    start, said = time.perf_counter(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        imported = generator(["import", *map(str, files), "-o", str(folder / "specs"), *where])
    times = [time.perf_counter() - start]
    specs = sorted((folder / "specs").glob("*.yaml"))
    build = ["build", "--output", str(folder / "built"), *map(str, specs)]
    for _ in range(2):
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            built = generator(build)
        times.append(time.perf_counter() - start)
    seconds = "import {:.1f} s, build {:.1f} s, build again {:.1f} s".format(*times)
    print(f"{len(specs)} of {len(files)} families: {seconds} (status {imported}, {built})")
    return said.getvalue().splitlines()


def _compare_registrations(files: list[Path], built: Path, notes: list[str]) -> list[str]:
    """Print how many registrations come back, and why others differ; return what is unexplained."""
    named: dict[str, list[str]] = {}
    for note in notes:
        _, name, rest = note.split(": ", 2)
        why = next((why for mark, why in REASONS.items() if mark in rest), rest)
        named.setdefault(name, []).append(why)
    facts, equal, unexplained = 0, 0, []
    reasons: Counter[str] = Counter()
    for path in files:
        (original,) = json.loads(path.read_text("utf-8"))
        name = original["model_name"]
        (record,) = json.loads((built / f"{name}.json").read_text("utf-8"))
        facts += sum(1 for _ in _list_facts(original))
        equal += record == original
        reasons.update(named.get(name, ()))
        if dict(_list_facts(read_as_host(original))) != dict(_list_facts(record)):
            unexplained.append(name)
    print(f"registrations: {facts} facts; {equal} of {len(files)} are equal as they are")
    for why, count in reasons.most_common():
        print(f"  {count} differences: {why}")
    print(f"  {len(unexplained)} families differ otherwise{': ' if unexplained else ''}"
          f"{', '.join(unexplained)}")  # fmt: skip
    return unexplained


def _list_facts(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Yield the values of a record, each with its place."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in inner:
            yield from _list_facts(child, f"{path}.{key}")
    else:
        yield path, value


def read_as_host(record: Any) -> Any:
    """Return a record as the host reads it: "9" as 9, and no quantizations beside `model_src`."""
    for spec in record["model_specs"]:
        spec.pop("quantizations", None)
        for key in ("model_size_in_billions", "activated_size_in_billions"):
            if str(spec.get(key)).isdigit():
                spec[key] = int(spec[key])
    return record


def _compare_pages(published: Path, built: Path) -> None:
    """Print how many pages are equal to those that are published, and which lines differ."""
    equal, missing, kinds = 0, 0, Counter[str]()
    for page in sorted(built.glob("*.rst")):
        if not (published / page.name).exists():
            missing += 1
            continue
        ours, theirs = (p.read_text("utf-8").splitlines() for p in (page, published / page.name))
        equal += ours == theirs
        for line in difflib.ndiff(theirs, ours):
            if re.match(r"[+-] .", line):
                start = next((key for key in LINES if line[2:].startswith(key)), "")
                kinds[LINES.get(start, "another line")] += 1
    print(f"pages: {equal} are equal, {missing} are not published")
    for what, count in kinds.most_common():
        print(f"  {count} lines differ: {what}")


if __name__ == "__main__":
    raise SystemExit(main())
