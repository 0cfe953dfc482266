"""How many posts a batch holds at most: measured, since it depends on the model and the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

CANDIDATES = (4, 16, 64)
LARGEST_SHARE = 0.8
"""Of the time a post takes in the smaller batch: a batch that saves less is not worth the wait for its end."""
LONGEST_BATCH_SECONDS = 0.1
"""Whatever comes meanwhile waits so long before its own turn."""
_RUNS = 3


def measured_batch_size(run: Callable[[int], object], *, clock: Callable[[], float] = time.perf_counter) -> int:
    """The largest candidate that pays, and 1 where none does; `run` predicts that many posts of typical length."""

    def seconds(size: int) -> float:
        # The shortest: whatever disturbs a run makes it longer.
        found = []
        for _ in range(_RUNS):
            start = clock()
            run(size)
            found.append(clock() - start)
        return min(found)

    best, seconds_a_post = 1, seconds(1)
    for size in CANDIDATES:
        if size * seconds_a_post * LARGEST_SHARE > LONGEST_BATCH_SECONDS:
            break  # it would have to save more than enough to be short enough: starting time is not spent on it
        taken = seconds(size)
        if taken > LONGEST_BATCH_SECONDS or taken / size > LARGEST_SHARE * seconds_a_post:
            break
        best, seconds_a_post = size, taken / size
    return best
