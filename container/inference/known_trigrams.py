"""How much of a text is new to a model: the share of its trigrams of characters that the training posts did not have.

The same file in the images of training and of inference. It knows no tokens, so that it means the same for every
recipe, and takes some 20 microseconds a post.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from bounded_text import nfkc

FILE: Final = "known_trigrams.bin"
"""In the model folder: a bit for each hash."""
_HASH_BITS: Final = 21
_LEAST_POSTS: Final = 2
"""What one post alone has is no vocabulary."""
MOST_KNOWN: Final = 200_000
"""A tenth of the hashes, so that a trigram that is not known is taken for one that is in one case of ten."""
_FACTORS: Final = (1_000_003, 0x9E37_79B9_7F4A_7C15)
_WHITE_SPACE: Final = re.compile(r"\s+")


class KnownTrigrams:
    """The trigrams that the training posts have, the most frequent where there are too many."""

    def __init__(self, bits: npt.NDArray[np.uint8]) -> None:
        self._bits = bits

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Those that occur in at least two of the texts."""
        posts = np.zeros(1 << _HASH_BITS, dtype=np.uint32)
        for text in texts:
            posts[np.unique(_hashes(text))] += 1
        known = posts >= _LEAST_POSTS
        if np.count_nonzero(known) > MOST_KNOWN:
            # Of those as frequent as the first that has no place none is taken, or the hash would choose.
            first_left_out = np.partition(posts[known], -MOST_KNOWN - 1)[-MOST_KNOWN - 1]
            known = posts > first_left_out
        return cls(np.packbits(known))

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Those of a model folder; None where the model was trained without."""
        path = folder / FILE
        if not path.is_file() or path.stat().st_size != (1 << _HASH_BITS) // 8:
            return None
        return cls(np.fromfile(path, dtype=np.uint8))

    def save(self, folder: Path) -> None:
        """Write them into a model folder."""
        self._bits.tofile(folder / FILE)

    def unseen_percent(self, text: str) -> int:
        """Return how much of the text's trigrams is not among them, 0 to 100 percent."""
        hashes = _hashes(text)
        known = self._bits[hashes >> np.uint64(3)] >> (np.uint64(7) - (hashes & np.uint64(7))) & np.uint64(1)
        return round(100 * float(1 - known.mean()))


def _hashes(text: str) -> npt.NDArray[np.uint64]:
    """A hash for each trigram, those across both ends among them: at least one."""
    shown = _WHITE_SPACE.sub(" ", nfkc(text).lower()).strip()
    characters = np.frombuffer(f" {shown or ' '} ".encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    # Of 64 bits, beyond which it wraps around.
    mixed = (characters[:-2] * _FACTORS[0] + characters[1:-1]) * _FACTORS[0] + characters[2:]
    return (mixed * np.uint64(_FACTORS[1])) >> np.uint64(64 - _HASH_BITS)
