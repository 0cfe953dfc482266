"""A file holds one concept; one of more than 500 lines holds several."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
FOLDERS = ["container", "stacks", "examples"]
MOST_LINES = 500


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_is_too_long(folder: str) -> None:
    files = list((PROJECT / folder).rglob("*.py"))
    assert files
    lengths = {path.relative_to(PROJECT): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}
