"""What a program has said in its log."""

from __future__ import annotations

from pathlib import Path


def first_line_with(word: str, log: Path) -> str | None:
    """The log's first line with `word` in it, in whatever case; None where there is none."""
    lines = log.read_text(errors="replace").splitlines()
    return next((line.strip() for line in lines if word.lower() in line.lower()), None)
