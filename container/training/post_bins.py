"""Bins of a post's score, length, unseen share and stage: a release's validation posts and served posts are counted in
them.

The same file in the images of the API and of training: what is compared is counted alike. Each kind's bins are in
order, so that a share at or below each bin can be compared.
"""

from __future__ import annotations

import math
import re
from typing import Final

from bounded_text import LONGEST_TEXT, nfkc

BINS: Final = {"score": 29, "length": 41, "unseen": 51, "stage": 2}
"""How many bins each kind has."""
_MIDDLE: Final = BINS["score"] // 2
_WHITE_SPACE: Final = re.compile(r"\s+")


def score_bin(probability: float) -> int:
    """Return the bin of a probability: half a unit of its log-odds wide, so that values near 0 or 1 fall into different
    bins.

    0.5 is in the middle of a bin, not at its edge, where the last rounding would decide.
    """
    # As many digits as an endpoint answers with.
    probability = round(probability, 6)
    if not 0 < probability < 1:
        return BINS["score"] - 1 if probability >= 1 else 0
    place = math.floor(2 * math.log(probability / (1 - probability)) + 0.5)
    return min(max(place + _MIDDLE, 0), BINS["score"] - 1)


def length_bin(text: str) -> int:
    """Return the bin of a text's length in characters of NFKC, white space collapsed: a third of a doubling wide."""
    length = len(_WHITE_SPACE.sub(" ", nfkc(text)).strip())
    return math.floor(3 * math.log2(min(max(length, 1), LONGEST_TEXT)))


def unseen_bin(percent: int) -> int:
    """Return the bin of a share, 0 to 100 percent."""
    return percent // 2


def stage_bin(by_first_stage: bool) -> int:
    """Return the bin of who answered: 0 the network, 1 the first stage."""
    return int(by_first_stage)
