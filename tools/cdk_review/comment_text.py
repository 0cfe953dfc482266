"""Makes a comment of an untrusted review.md.

The author of a pull request controls the job that makes the review, so its page is untrusted data. It may contain
tables, folded sections, code and the uploaded pictures, but nothing that notifies people, links elsewhere or hides
content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MARKER = "<!-- cdk-review -->"
# GitHub refuses more than 65,536 characters.
MOST_CHARACTERS = 64_000
PICTURE = re.compile(r"!\[([^\]\n]{0,200})\]\((pictures/[A-Za-z0-9._-]{1,150}\.png)\)")

_INVISIBLE = "\u200b"
_TAG = re.compile(r"<(?!/?(?:details|summary)>)")
_LINK = re.compile(r"\](?=[(\[:])")
_ADDRESS = re.compile(r"(?i)(?<=[a-z])(?=://)|(?<=\bwww)(?=\.)|(?<=\bmailto)(?=:)")
# HTML entities too: GitHub finds mentions after rendering.
_MENTION = re.compile(r"(?i)(?:@|&(?:#0*64|#x0*40|commat);?)(?=[a-z0-9])")
_REFERENCE = re.compile(r"(?:(?<=#)|(?<=\bGH-))(?=\d)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def comment_body(page: str, *, pictures: Mapping[str, str], footer: str) -> str:
    """The text of the comment.

    Args:
        page: review.md.
        pictures: the addresses of uploaded pictures, by path in the page.
        footer: trusted text: the commit, and a link to the run.
    """
    parts: list[str] = []
    end = 0
    for found in PICTURE.finditer(page):
        parts.append(harmless(page[end : found.start()]))
        address = pictures.get(found[2])
        name = harmless(found[1])
        parts.append(f"![{name}]({address})" if address else f"({name}: no picture)")
        end = found.end()
    parts.append(harmless(page[end:]))
    text = "".join(parts)
    room = MOST_CHARACTERS - len(MARKER) - len(footer) - 4
    return "\n\n".join([MARKER, _cut(text.strip(), room), footer])


def harmless(text: str) -> str:
    """Markdown without mentions, links, references to issues, and HTML other than folded sections."""
    text = _CONTROL.sub("", text)
    text = _TAG.sub("&lt;", text)
    # Text separated from its bracket is not a link.
    text = _LINK.sub(f"]{_INVISIBLE}", text)
    text = _ADDRESS.sub(_INVISIBLE, text)
    text = _MENTION.sub(f"@{_INVISIBLE}", text)
    return _REFERENCE.sub(_INVISIBLE, text)


def _cut(text: str, room: int) -> str:
    """Cuts at whole lines, and closes open blocks and folded sections: otherwise they would include the footer."""
    note = "\n\n… cut here: the whole page is in the run's artifact."
    closing = "\n```" + "\n</details>" * 20
    if len(text) > room:
        text = text[: room - len(note) - len(closing)].rpartition("\n")[0] + note
    fences = [line for line in text.splitlines() if line.lstrip().startswith("```")]
    ending = "\n```" if len(fences) % 2 else ""
    opened = text.count("<details>") - text.count("</details>")
    return text + ending + "\n</details>" * max(min(opened, 20), 0)
