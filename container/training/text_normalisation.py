"""What is done to a post before a model sees it.

The manifest names the steps in their order, and the inference image applies those it finds there, so that training and
serving cannot drift apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from bounded_text import nfkc

_WHITESPACE = re.compile(r"\s+")

STEPS: Mapping[str, Callable[[str], str]] = {
    "nfkc": nfkc,
    "lower": str.lower,
    # 0 pads a batch of code points, and MeCab's C strings end at it.
    "strip_nul": lambda text: text.replace("\0", ""),
    "collapse_whitespace": lambda text: _WHITESPACE.sub(" ", text),
}


def normalise(text: str, steps: Sequence[str]) -> str:
    """Applies the named steps one after the other."""
    for step in steps:
        text = STEPS[step](text)
    return text
