"""Whatever a spec holds, the generator either builds it or says what is wrong."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.__main__ import main
from generator.yamltree import compose

BASE = Path(__file__).with_name("base.yaml").read_text("utf-8")
DATA = compose(BASE)[0].value
WORDS = ["none", "Int4", "awq", "vLLM", "plain", "1_8", "huggingface", "owner/name", "a::", "<<"]

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS)
)
keys = st.text(max_size=8) | st.sampled_from([*DATA, *DATA["model_specs"][0], *WORDS])
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)


def _run(text: bytes) -> None:
    """Build the text as a spec: it never raises, and writes all or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        spec, out = Path(folder, "spec.yaml"), Path(folder, "out")
        spec.write_bytes(text)
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            status = main(["build", "--output", str(out), str(spec)])
        written = [path for path in out.rglob("*") if path.is_file()]
        if status == 0:
            assert len(written) in (2, 3)
            assert errors.getvalue() == ""
        else:
            assert status == 1
            assert not out.exists()
            assert all(line.startswith(f"{spec}:") for line in errors.getvalue().splitlines())


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container with a key or index in it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, child in inner:
        found.append((value, key))
        if isinstance(child, dict | list):
            found += _places(child)
    return found


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A valid spec with some of its values deleted, replaced or joined by others."""
    data = copy.deepcopy(DATA)
    for _ in range(draw(st.integers(1, 3))):
        places = _places(data)
        if not places:
            break
        container, key = draw(st.sampled_from(range(len(places))).map(places.__getitem__))
        change = draw(st.sampled_from(["delete", "replace", "insert"]))
        if change == "delete":
            del container[key]
        elif change == "replace":
            container[key] = draw(values)
        elif isinstance(container, dict):
            container[draw(keys)] = draw(values)
        else:
            container.insert(key, draw(values))
    return data


@settings(max_examples=75, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_mutated_data(data: Any) -> None:
    _run(json.dumps(data).encode())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, len(BASE)), st.integers(0, 40), st.text(max_size=20) | st.sampled_from(WORDS))
def test_mutated_text(start: int, length: int, inserted: str) -> None:
    _run((BASE[:start] + inserted + BASE[start + length :]).encode("utf-8", "surrogatepass"))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=200) | st.text("[]{}:,-?&*!|>'\"%@` \n\tab#", max_size=60).map(str.encode)
)
def test_any_bytes(data: bytes) -> None:
    _run(data)
