"""Where the specs of the repository lie."""

from __future__ import annotations

from pathlib import Path

from .. import ROOT
from ..problems import RunError

FAMILY_SPECS = ROOT / "family_specs"
SCHEMA_FILE = FAMILY_SPECS / "family.schema.json"


def default_specs() -> list[Path]:
    """Return the specs of the repository, in the order of their names."""
    if specs := sorted(FAMILY_SPECS.glob("*.yaml")):
        return specs
    raise RunError("there is no *.yaml file here; describe a family in one", FAMILY_SPECS)
