"""What a build finds of earlier ones, and what is none of its business."""

from __future__ import annotations

from pathlib import Path

from generator.outputs.orphaned_files import find_orphaned_files


def test_orphans_lie_beside_generated_files_and_have_their_suffix(tmp_path: Path) -> None:
    names = ["a.json", "old.json", "old.txt", ".hidden.json", "index.rst"]
    for name in names:
        (tmp_path / name).touch()
    files = [tmp_path / "a.json", tmp_path / "a.rst"]
    assert find_orphaned_files(files) == [tmp_path / "old.json"]
