"""`.. mistake:: RIGHT → WRONG` shows what the generator says of a wrong line in internvl2.yaml."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]
SPEC = Path("family_specs/internvl2.yaml")


class Mistake(Directive):
    """The output of a run over the spec, in which the first right line is wrong."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        right, wrong = self.arguments[0].split(" → ")
        return [nodes.literal_block("", said_of(right, wrong), language="text")]


def said_of(right: str, wrong: str) -> str:
    """Return what `validate` prints; raises where it finds nothing wrong."""
    text = (ROOT / SPEC).read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, SPEC)
        file.parent.mkdir()
        file.write_text(text.replace(right, wrong, 1), "utf-8")
        done = subprocess.run(
            [sys.executable, str(ROOT / "generator/run_from_anywhere.py"), "validate", str(SPEC)],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
        )
    if done.returncode != 1 or not done.stderr.startswith(f"{SPEC}:"):
        raise ValueError(f"{wrong!r} in place of {right!r} is not found wrong: {done.stderr}")
    return done.stderr.strip()


def setup(app: object) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("mistake", Mistake)  # type: ignore[attr-defined]
    return {"parallel_read_safe": True}
