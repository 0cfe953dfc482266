"""The normalisation of a post before a model reads it.

The manifest names the steps in order, and the inference image applies them, so that training and serving use the same
normalisation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from bounded_text import nfkc

_WHITESPACE = re.compile(r"\s+")

STEPS: Mapping[str, Callable[[str], str]] = {
    "nfkc": nfkc,
    "lower": str.lower,
    # 0 is the padding of a batch of code points, and the end of MeCab's C strings.
    "strip_nul": lambda text: text.replace("\0", ""),
    "collapse_whitespace": lambda text: _WHITESPACE.sub(" ", text),
}


def normalise(text: str, steps: Sequence[str]) -> str:
    """Apply the named steps, one after the other."""
    for step in steps:
        text = STEPS[step](text)
    return text
