"""Draws that decide which posts reviewers see, and where: by a secret, since a post's writer may choose its text."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, Literal

_WHOLE: Final = 1 << 64

Purpose = Literal["sample", "place", "second"]
"""What is drawn: whether a post is of the sample, its place in the queue, whether a second reviewer judges it."""


class ReviewDraws:
    """The same post draws the same in every task that has the same secret, and draws of two purposes are independent.

    secret: of the deployment, and of nobody else: a text's hash alone would draw what its writer can try out before.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def number(self, key: str, purpose: Purpose) -> float:
        """Return a number from 0 to below 1 that follows from the secret, the post's key and the purpose."""
        drawn = hmac.digest(self._secret, f"{purpose}:{key}".encode(), hashlib.sha256)
        return int.from_bytes(drawn[:8]) / _WHOLE
