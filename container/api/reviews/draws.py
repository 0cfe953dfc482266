"""Draws which posts reviewers see, and their place: with a secret, because a post's writer can choose its text."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal

_WHOLE: Final = 1 << 64

Purpose = Literal["sample", "place", "second"]
"""The purposes of draws: the sample, a post's place in the queue, and whether a second reviewer judges it."""


class ReviewDraws:
    """Draws the same number for a post in every task with the same secret; draws for two purposes are independent.

    secret: the deployment's own. Without it, with a text's hash alone, a writer could try out texts beforehand.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def number(self, key: str, purpose: Purpose) -> float:
        """Return a number, 0 or more and below 1, derived from the secret, the post's key and the purpose."""
        drawn = hmac.digest(self._secret, f"{purpose}:{key}".encode(), hashlib.sha256)
        return int.from_bytes(drawn[:8]) / _WHOLE
