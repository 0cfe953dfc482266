"""Posts that nobody has labelled, of the channel `unlabelled`: a student learns from what its teacher says of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from labelled_posts import GZIP, LONGEST_LINE, SUFFIXES, InvalidPostsError, checked_text, format_of, json_objects
from labelled_posts import text_lines as lines_of
from refusal import RefusalError

CHANNEL = "unlabelled"


def read_unlabelled(channel: Path, *, known: set[str]) -> list[str]:
    """The texts of every file below the channel's folder, each once and none of `known`; none without the channel.

    CSV and TSV have a header line with the column `text`, JSON lines have the key. Whatever else is there, as a label,
    is not looked at.

    Raises:
        RefusalError: a file or a line that is no post, or no post at all.
    """
    if not channel.is_dir():
        return []
    found: dict[str, None] = {}
    for path in sorted(path for path in channel.rglob("*") if path.is_file() and not path.name.startswith(".")):
        name = f"{channel.name}/{path.relative_to(channel)}"
        if format_of(path.name) is None:
            raise RefusalError(f"{name}: the name ends in none of {', '.join(SUFFIXES)}; give posts and nothing else")
        try:
            found.update(dict.fromkeys(_texts(path, name)))
        except InvalidPostsError as fault:
            raise RefusalError(str(fault)) from None
    if not found:
        raise RefusalError(f"channel {channel.name}: no post in it; give at least one .csv, .tsv or .jsonl file")
    return [text for text in found if text not in known]


def _texts(path: Path, name: str) -> Iterator[str]:
    with path.open("rb") as file:
        lines = lines_of(file, name, gzipped=path.name.lower().endswith(GZIP))
        format_ = format_of(path.name)
        if format_ == "jsonl":
            for _, at, content in json_objects(lines, name, ("text",)):
                yield checked_text(content.get("text"), at)
            return
        csv.field_size_limit(LONGEST_LINE)
        # text/tab-separated-values knows no quotes: a quotation mark is a part of the text.
        rows = (
            csv.reader(lines, strict=True)
            if format_ == "csv"
            else csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
        )
        try:
            header = [column.strip() for column in next(rows, [])]
            if header.count("text") != 1:
                raise InvalidPostsError(
                    f"{name}, line 1: {header.count('text')} columns named text; the first line names the columns"
                )
            place = header.index("text")
            for row in rows:
                if not row:
                    continue
                where = f"{name}, line {rows.line_num}"
                if len(row) != len(header):
                    raise InvalidPostsError(f"{where}: {len(row)} columns, the header has {len(header)}")
                yield checked_text(row[place], where)
        except csv.Error:
            raise InvalidPostsError(f"{name}, line {rows.line_num}: quote fields as RFC 4180 has it") from None
