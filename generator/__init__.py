"""Turn the family specs into the registration, the loaders' data and the model pages."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The root of the repository."""
