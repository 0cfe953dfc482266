"""The key of a post, by which reviewers, training data and erasure find the same post.

The same file in the API's image and in the function that makes training data.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from bounded_text import nfkc

# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties: invisible characters.
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_WHITE_SPACE: Final = re.compile(r"\s+")


def post_key(text: str) -> str:
    """Return the SHA-256, in hexadecimal digits, of the text as reviewers see it.

    Width of characters, case, white space and invisible characters do not matter: posts that differ only in these have
    the same key, and are judged once.
    """
    normalised = _WHITE_SPACE.sub(" ", nfkc(_UNSEEN.sub("", text)).replace("\0", "")).strip().casefold()
    return hashlib.sha256(normalised.encode()).hexdigest()
