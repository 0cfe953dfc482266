"""Bins of a post's score, length, unseen share and stage, for counts of a release's validation posts and served posts.

The images of the API and of training hold the same file, so that both counts use the same bins. Each kind's bins are
ordered, so that cumulative shares can be compared.
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
    """Return the bin of a probability. A bin is half a unit of log-odds wide, which separates values near 0 or 1.

    0.5 is in the middle of a bin, not at its edge, where the last rounding would decide.
    """
    # An endpoint's answers have six digits.
    probability = round(probability, 6)
    if not 0 < probability < 1:
        return BINS["score"] - 1 if probability >= 1 else 0
    place = math.floor(2 * math.log(probability / (1 - probability)) + 0.5)
    return min(max(place + _MIDDLE, 0), BINS["score"] - 1)


def length_bin(text: str) -> int:
    """Return the bin of a text's length in NFKC characters, white space collapsed. Three bins cover a doubling."""
    length = len(_WHITE_SPACE.sub(" ", nfkc(text)).strip())
    return math.floor(3 * math.log2(min(max(length, 1), LONGEST_TEXT)))


def unseen_bin(percent: int) -> int:
    """Return the bin of a share, 0 to 100 percent."""
    return percent // 2


def stage_bin(by_first_stage: bool) -> int:
    """Return the bin of the stage that answered: 0 for the network, 1 for the first stage."""
    return int(by_first_stage)
