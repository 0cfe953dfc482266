"""Bounds a text so that the time to process it is proportional to its length, whatever its content.

The same file is in the images of the API, of inference and of training, and in the function that makes training data: a
post is the same text and has the same limit in all four.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST_TEXT: Final = 10_000
"""Maximum characters of a post, as `counted` counts them."""
LONGEST_RUN_OF_MARKS: Final = 30
"""Maximum combining marks of a character, more than any language uses: Unicode's Stream-Safe Text Format (UAX #15, 13).
"""
LONGEST_STRETCH: Final = 512
"""Maximum characters without white space."""
# At the end of a sentence, if there is one in the second half.
_STRETCH: Final = re.compile(rf"\S{{{LONGEST_STRETCH // 2},{LONGEST_STRETCH - 1}}}[。！？!?]|\S{{{LONGEST_STRETCH}}}")


def counted(text: str) -> int:
    """Return the number of characters that LONGEST_TEXT limits: of the text or of its NFKC form, whichever is larger.

    A model gets the NFKC form, in which one character may become 18. A text that is already too long is not converted.
    """
    return len(text) if len(text) > LONGEST_TEXT else max(len(text), len(nfkc(text)))


def nfkc(text: str) -> str:
    """Return the text in NFKC, with limited runs of marks: sorting a run takes quadratic time."""
    return text if text.isascii() else unicodedata.normalize("NFKC", with_short_runs(text))


def with_short_runs(text: str) -> str:
    """Return the text without the marks of each run beyond the first LONGEST_RUN_OF_MARKS."""
    marks = {character for character in set(text) if _is_mark(character)}
    if not marks or len(text) <= LONGEST_RUN_OF_MARKS:
        return text
    kept = []
    run = 0
    for character in text:
        run = run + 1 if character in marks else 0
        if run <= LONGEST_RUN_OF_MARKS:
            kept.append(character)
    return "".join(kept)


def with_breaks(text: str) -> str:
    """Return the text with a space in each stretch beyond LONGEST_STRETCH.

    For MeCab, which takes quadratic time for a run of characters of one kind. Callers also limit the length of the
    text: MeCab crashes on some 200,000 characters.
    """
    return _STRETCH.sub(r"\g<0> ", text)


def _is_mark(character: str) -> bool:
    # Some characters become marks, as U+FF9E, the half-width voiced mark.
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) != 0
