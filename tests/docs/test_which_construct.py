"""The page that says which construct to take names every public one, in a row that says what it needs and makes."""

import re
from pathlib import Path

from cdk_fargate_sagemaker import storage
from tests.constructs.public_classes import AREAS

PAGE = Path(__file__).parents[2] / "docs" / "which-construct.md"
COLUMNS = 5


def rows() -> list[list[str]]:
    """The rows of the tables of constructs, their headings left out."""
    text, _, _ = PAGE.read_text(encoding="utf-8").partition("## No construct")
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return [row for row in found if row[0] not in ("your need", "---")]


def test_names_every_public_name_once_and_no_other() -> None:
    named = re.findall(r"`(\w+)`", " ".join(row[1] for row in rows()))
    public = [name for area in (*AREAS, storage) for name in area.__all__]
    assert set(public) - set(named) == set()
    assert set(named) - set(public) == set()
    # One construct may answer two needs; what it is is still said in full each time.
    assert {name for name in named if named.count(name) > 1} == {"SpikeScaling"}


def test_each_row_says_what_it_needs_and_makes_and_where_to_start() -> None:
    for row in rows():
        assert len(row) == COLUMNS, row
        assert all(row), row
        names = re.findall(r"`(\w+)`", row[1])
        if linked := re.search(r"\]\(([^)#]+)", row[-1]):
            text = (PAGE.parent / linked[1]).read_text(encoding="utf-8")
            assert any(re.search(rf"\b{name}\b", text) for name in names), row
        else:
            assert row[-1] in [f"`help({name})`" for name in names], row
