"""Markdown as plain lines: what a text widget says, without what it takes to lay it out."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BUTTON = re.compile(r"\[button(?::\w+)?:([^\]]*)\]\(([^)]*)\)")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)")
_EMPHASIS = re.compile(r"(\*\*|__|`)(.+?)\1")
_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_BULLET = re.compile(r"(\s*)[-*+]\s+(.*)")
_RULE = re.compile(r"\s*([-*_])(\s*\1){2,}\s*|\s*\|?[\s:|-]+\|[\s:|-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """A line; `heading` is its level from 1, or 0 for a line of text."""

    text: str
    heading: int = 0


def plain_lines(markdown: str) -> list[TextLine]:
    """The lines of a text; rules across the page, and those of tables, are left out."""
    lines: list[TextLine] = []
    for line in markdown.splitlines():
        if _RULE.fullmatch(line) and line.strip():
            continue
        if heading := _HEADING.fullmatch(line.strip()):
            lines.append(TextLine(text=_plain(heading[2]), heading=len(heading[1])))
        elif bullet := _BULLET.fullmatch(line):
            lines.append(TextLine(text=f"{bullet[1]}• {_plain(bullet[2])}"))
        else:
            lines.append(TextLine(text=_plain(line)))
    return lines


def _plain(text: str) -> str:
    text = _BUTTON.sub(r"\1 (\2)", text)
    text = _LINK.sub(lambda link: f"{link[1]} ({link[2]})" if link[1] and link[1] != link[2] else link[2], text)
    return _EMPHASIS.sub(r"\2", text)
