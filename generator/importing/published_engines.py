"""Read the engines of a model page, which a registration does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..problems import Issue, ReadError
from ..spec.text_file import read_text
from ..wording import show
from .read_registrations import Record

_ENGINES = re.compile(r"^- \*\*Engines\*\*:(.*)$", re.MULTILINE)
_NOTE = re.compile(r"(.+?) only available for quantizations? (.+)")
_AND = re.compile(r", | and ")


def add_engines(data: Record, folder: Path) -> Iterator[Issue]:
    """Add to the data of a spec the engines of its page in `folder`; yield why not, if not."""
    page = folder / f"{data['model_name'].lower()}.rst"
    try:
        lines = _ENGINES.findall(read_text(page))
    except ReadError as error:
        yield Issue((), f"no engines from {page.name}: {error.message}")
        return
    specs = data["model_specs"]
    if len(lines) != len(specs):
        what = f"it has {len(lines)} checkpoints instead of {len(specs)}"
        yield Issue((), f"no engines from {page.name}: {what}")
        return
    for index, (spec, line) in enumerate(zip(specs, lines, strict=True)):
        names, _, notes = line.strip().removesuffix(")").partition(" (")
        engines = {name: list(spec["quantizations"]) for name in names.split(", ") if name}
        for note in filter(None, notes.split("; ")):
            if not _limit_engines(engines, note):
                message = f"the page says {show(note)} of the engines; left out"
                yield Issue(("model_specs", index), message)
        spec["published_engines"] = engines


def _limit_engines(engines: dict[str, list[str]], note: str) -> bool:
    """Limit engines as a note such as `vLLM only available for quantization none` says."""
    match = _NOTE.fullmatch(note)
    if not match:
        return False
    for name in _AND.split(match[1]):
        engines[name] = _AND.split(match[2])
    return True
