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
    r"whoever|whomever|nobody's|somebody else's": "name the person or the program: a user, another account",
    r"what of (?:it|them)": "the part that …",
    r"is said|are said|said here": "this page says",
    r"reckon(?:s|ed)?": "calculate, count",
    r"at hand|to be had": "available",
    r"likewise": "repeat what is the same, or write: the same",
    r"(?:goes|going|went) on": "continues",
    r"(?:takes|taking|took|taken) (?:it |them )?away": "deletes, removes",
    r"former days": "earlier days",
    r"for good": "permanently",
    r"made up": "synthetic",
    r"lies? (?:in|below|there)": "is in, is below",
    r"\d[\d,.]* (?:\w+ )?(?:posts|requests|writes|reads|calls|decisions) an? (?:second|minute|hour|day|month)": "per",
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
