"""Where the checkout and its specs lie, and the folders of what is generated from them."""

from __future__ import annotations

from pathlib import Path

from .problems import RunError

ROOT = Path(__file__).resolve().parent.parent
"""The root of the checkout; below it, or another folder, are the paths of what is generated."""
FAMILY_SPECS = ROOT / "family_specs"
SCHEMA_FILE = FAMILY_SPECS / "family.schema.json"
PAGES = "docs/models"
REGISTRATIONS = "plugin/xinference_internvl2/families"
REFERENCE = "docs/reference/spec.rst"


def find_specs() -> list[Path]:
    """Return the specs of the repository, in the order of their names."""
    if specs := sorted(FAMILY_SPECS.glob("*.yaml")):
        return specs
    raise RunError("there is no *.yaml file here; describe a family in one", FAMILY_SPECS)
