"""Loading: which of the two validators checks a spec."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.generator.specs import BASE

IMPORTED = """
import sys
from generator.__main__ import main
main(["validate", *sys.argv[1:]])
print(sorted({"jsonschema", "jsonschema_rs"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("names", "imported"),
    [
        (["good-1"], ["jsonschema"]),
        (["good-1", "good-2"], ["jsonschema_rs"]),
        (["good-1", "bad"], ["jsonschema", "jsonschema_rs"]),
    ],
)
def test_valid_ones_of_many_pass_by_the_faster_library(
    names: list[str], imported: list[str], folder: Path, root: Path
) -> None:
    for name in ("good-1", "good-2"):
        text = BASE.replace("model_name: base", f"model_name: {name}")
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    (folder / "bad.yaml").write_text(BASE.replace("[chat]", "[chut]"), "utf-8")
    result = subprocess.run(
        [sys.executable, "-c", IMPORTED, *(f"{name}.yaml" for name in names)],
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert result.stdout.splitlines()[-1] == str(imported), result.stderr
