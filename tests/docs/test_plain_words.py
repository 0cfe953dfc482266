"""Words that readers of the docs stumble over, each with the one to write instead.

CONTRIBUTING.md asks for plain English. This list holds what the pages are free of; add a word once they are free of it.
"""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = [*sorted(PROJECT.glob("*.md")), PROJECT / "tools" / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
# Code and comments are not prose, nor are quoted alerts.
_NO_PROSE = re.compile(r"```.*?```|`[^`\n]*`|<!--.*?-->|\]\([^)]*\)", re.DOTALL)

BETTER = {
    r"tells?|told": "notify, report, say",
    r"mend|mends|mended": "correct, fix",
    r"anew": "again",
    r"(?:is|are|was|were) taken back|takes? (?:it|an update|a step) back": "is rolled back, is reverted",
    r"is no (?:point|figure|picture)": "no data point is published; does not represent",
    r"the house": "the repository",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_in_plain_words(page: Path) -> None:
    prose = _NO_PROSE.sub(" ", page.read_text(encoding="utf-8"))
    found = {
        match.group(): better
        for avoided, better in BETTER.items()
        for match in re.finditer(rf"\b(?:{avoided})\b", prose, re.IGNORECASE)
    }
    assert found == {}
