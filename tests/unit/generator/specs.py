"""Two valid specs: a small one, and one with an example of every field."""

from pathlib import Path
from typing import Any

from generator.spec.yaml_reader import compose

BASE = Path(__file__).with_name("base.yaml").read_text("utf-8")
RICH = Path(__file__).with_name("rich.yaml").read_text("utf-8")


def load_data(text: str) -> Any:
    """Return the data of a spec."""
    return compose(text)[0].value
