"""Writes each example into the pages that show it. Run it with `make docs`."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]
EXAMPLE = re.compile(r"(?P<marker><!-- example: (?P<file>\S+) -->\n)(?:```python\n.*?```\n)?", re.DOTALL)


def included(match: re.Match[str]) -> str:
    program = (PROJECT / match["file"]).read_text(encoding="utf-8")
    return f"{match['marker']}```python\n{program}```\n"


for page in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")):
    text = page.read_text(encoding="utf-8")
    page.write_text(EXAMPLE.sub(included, text), encoding="utf-8")
