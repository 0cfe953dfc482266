"""Text whose preparation takes time in proportion to its length, whatever it holds.

The same file in the images of the API, of inference and of training, and in the function that makes training data: a
post is the same text, and has the same limit, in all four.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST_TEXT: Final = 10_000
"""Characters of a post, as `counted` counts them."""
LONGEST_RUN_OF_MARKS: Final = 30
"""As many marks as a character has in any language, and more: Unicode's Stream-Safe Text Format (UAX #15, 13)."""
LONGEST_STRETCH: Final = 512
"""Characters without white space."""
# At the end of a sentence, where there is one in the later half.
_STRETCH: Final = re.compile(rf"\S{{{LONGEST_STRETCH // 2},{LONGEST_STRETCH - 1}}}[。！？!?]|\S{{{LONGEST_STRETCH}}}")


def counted(text: str) -> int:
    """Return the characters of a text that LONGEST_TEXT limits: as it comes, or in NFKC where those are more.

    One character may stand for 18 in NFKC, which is what a model gets. What is too long as it comes is counted so: its
    NFKC is not worth the time.
    """
    return len(text) if len(text) > LONGEST_TEXT else max(len(text), len(nfkc(text)))


def nfkc(text: str) -> str:
    """Return the text in NFKC, its runs of marks capped: sorting them takes time in proportion to their square."""
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

    For MeCab, which looks at each character of a run of one kind as far as the run goes: it takes time in proportion to
    the square. Its callers limit the text as a whole: MeCab crashes on some 200,000 characters.
    """
    return _STRETCH.sub(r"\g<0> ", text)


def _is_mark(character: str) -> bool:
    # Some become a mark: U+FF9E, the voiced mark of half width, does.
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) != 0
