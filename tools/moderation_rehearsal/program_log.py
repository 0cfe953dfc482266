"""Searches a program's log."""

from __future__ import annotations

from pathlib import Path


def first_line_with(word: str, log: Path) -> str | None:
    """The log's first line with `word`, case-insensitive; None if there is none."""
    lines = log.read_text(errors="replace").splitlines()
    return next((line.strip() for line in lines if word.lower() in line.lower()), None)
