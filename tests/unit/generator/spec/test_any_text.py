"""Whatever a spec holds, the generator either builds it or says what is wrong."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.__main__ import main
from tests.unit.generator.mutations import WORDS, mutated
from tests.unit.generator.specs import BASE, RICH, load_data

DATA = [load_data(text) for text in (BASE, RICH)]
SECONDS = 2


def _run(text: bytes) -> None:
    """Build the text as a spec: it never raises, is quick, and writes all or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        spec, out = Path(folder, "spec.yaml"), Path(folder, "out")
        spec.write_bytes(text)
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            start = time.process_time()
            status = main(["build", "--output", str(out), str(spec)])
            assert time.process_time() - start < SECONDS
        written = [path for path in out.rglob("*") if path.is_file()]
        if status == 0:
            assert len(written) in (2, 4)
            assert errors.getvalue() == ""
        else:
            assert status == 1
            assert not out.exists()
            assert all(line.startswith(f"{spec}:") for line in errors.getvalue().splitlines())


@settings(max_examples=75, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(DATA).flatmap(mutated))
def test_mutated_data(data: Any) -> None:
    _run(json.dumps(data).encode())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([BASE, RICH]),
    st.floats(0, 1),
    st.integers(0, 40),
    st.text(max_size=20) | st.sampled_from(WORDS),
)
def test_mutated_text(text: str, place: float, length: int, inserted: str) -> None:
    start = round(place * len(text))
    _run((text[:start] + inserted + text[start + length :]).encode("utf-8", "surrogatepass"))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, RICH.count("\n")), min_size=2, max_size=2), st.booleans())
def test_moved_lines(places: list[int], doubled: bool) -> None:
    lines = RICH.splitlines(keepends=True)
    line = lines[places[0] - 1] if doubled else lines.pop(places[0] - 1)
    lines.insert(places[1], line)
    _run("".join(lines).encode())


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=200) | st.text("[]{}:,-?&*!|>'\"%@` \n\tab#", max_size=60).map(str.encode)
)
def test_any_bytes(data: bytes) -> None:
    _run(data)
