"""Converts Markdown to plain lines, for text widgets."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BUTTON = re.compile(r"\[button(?::\w+)?:([^\]]*)\]\(([^)]*)\)")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)")
_EMPHASIS = re.compile(r"(\*\*|__|`)(.+?)\1")
_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_BULLET = re.compile(r"(\s*)[-*+]\s+(.*)")
_FENCE = re.compile(r"\s*(```|~~~)")
_DELIMITERS = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?")
_RULE = re.compile(r"\s*([-*_])(\s*\1){2,}\s*|\s*\|?[\s:|-]+\|[\s:|-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """A line; `heading` is its level from 1, or 0 for text. Code and tables are monospaced."""

    text: str
    heading: int = 0
    is_monospaced: bool = False


def plain_lines(markdown: str) -> list[TextLine]:
    """The lines of a text; omits horizontal rules, aligns tables, keeps code unchanged."""
    lines: list[TextLine] = []
    rest = markdown.splitlines()
    while rest:
        line = rest.pop(0)
        if fence := _FENCE.match(line):
            while rest and not rest[0].strip().startswith(fence[1]):
                lines.append(TextLine(text=rest.pop(0), is_monospaced=True))
            del rest[:1]
        elif _is_row(line) and rest and _DELIMITERS.fullmatch(rest[0].strip()):
            rows = [line]
            del rest[0]
            while rest and _is_row(rest[0]):
                rows.append(rest.pop(0))
            lines += _table(rows)
        elif _RULE.fullmatch(line) and line.strip():
            continue
        elif heading := _HEADING.fullmatch(line.strip()):
            lines.append(TextLine(text=_plain(heading[2]), heading=len(heading[1])))
        elif bullet := _BULLET.fullmatch(line):
            lines.append(TextLine(text=f"{bullet[1]}• {_plain(bullet[2])}"))
        else:
            lines.append(TextLine(text=_plain(line)))
    return lines


def _is_row(line: str) -> bool:
    return "|" in line


def _table(rows: list[str]) -> list[TextLine]:
    """The rows with aligned columns."""
    cells = [[_plain(cell.strip()) for cell in row.strip().strip("|").split("|")] for row in rows]
    widths = [max(len(row[index]) for row in cells if index < len(row)) for index in range(max(map(len, cells)))]
    return [
        TextLine(
            text="  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip(),
            is_monospaced=True,
        )
        for row in cells
    ]


def _plain(text: str) -> str:
    text = _BUTTON.sub(r"\1 (\2)", text)
    text = _LINK.sub(lambda link: f"{link[1]} ({link[2]})" if link[1] and link[1] != link[2] else link[2], text)
    return _EMPHASIS.sub(r"\2", text)
