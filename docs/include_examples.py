"""Writes each example into the pages that show it. Run it with `make docs`."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]
EXAMPLE = re.compile(r"(?P<marker><!-- example: (?P<file>\S+) -->\n)(?:```(?:python|yaml)\n.*?```\n)?", re.DOTALL)
LANGUAGES = {".py": "python", ".yml": "yaml"}


def included(match: re.Match[str]) -> str:
    file = PROJECT / match["file"]
    return f"{match['marker']}```{LANGUAGES[file.suffix]}\n{file.read_text(encoding='utf-8')}```\n"


for page in (PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")):
    text = page.read_text(encoding="utf-8")
    page.write_text(EXAMPLE.sub(included, text), encoding="utf-8")
