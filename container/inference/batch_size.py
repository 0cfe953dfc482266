"""Measures the largest useful batch size, which depends on the model and the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

CANDIDATES = (4, 16, 64)
LARGEST_SHARE = 0.8
"""The largest time per post, relative to the smaller batch: a smaller saving is not worth the longer wait."""
LONGEST_BATCH_SECONDS = 0.1
"""The longest time that a batch may take, because requests that arrive meanwhile wait for its end."""
_RUNS = 3


def measured_batch_size(run: Callable[[int], object], *, clock: Callable[[], float] = time.perf_counter) -> int:
    """Return the largest candidate that saves enough time, or 1; `run` predicts that many posts of typical length."""

    def seconds(size: int) -> float:
        # The shortest of several runs, because every disturbance makes a run longer.
        found = []
        for _ in range(_RUNS):
            start = clock()
            run(size)
            found.append(clock() - start)
        return min(found)

    best, seconds_a_post = 1, seconds(1)
    for size in CANDIDATES:
        if size * seconds_a_post * LARGEST_SHARE > LONGEST_BATCH_SECONDS:
            break  # too long even with a sufficient saving: do not spend starting time on measuring it
        taken = seconds(size)
        if taken > LONGEST_BATCH_SECONDS or taken / size > LARGEST_SHARE * seconds_a_post:
            break
        best, seconds_a_post = size, taken / size
    return best
