"""The steps of a day that cover its need with the fewest task-hours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

# From a slot of the day on, this many tasks.
Step = tuple[int, int]
# Indexed by first slot and length.
Costs = NDArray[np.float64]


def covering_steps(needed: Sequence[int], most: int) -> dict[int, list[Step]]:
    """For each number of steps from 1 to `most`, the cheapest steps that are never below the need.

    The day is circular: the last step applies until the first. Equal consecutive steps are merged, so there may be
    fewer.

    Args:
        needed: needed tasks in each slot of the day.
        most: the maximum number of steps, at least 1.
    """
    slots = len(needed)
    circle = np.array([*needed, *needed], dtype=np.float64)
    # Indexed by first slot and length: the highest need within, times the length.
    windows = sliding_window_view(circle, slots)[:slots]
    lengths = np.arange(1, slots + 1)
    highest = np.maximum.accumulate(windows, axis=1)
    costs: Costs = highest * lengths
    # An optimal step begins where the need changes: moved there, it covers the same at no higher cost.
    starts = [slot for slot in range(slots) if needed[slot] != needed[slot - 1]] or [0]
    best: dict[int, tuple[float, list[Step]]] = {}
    for start in starts:
        for steps, (cost, cuts) in _from(start, costs, min(most, slots)).items():
            if steps not in best or cost < best[steps][0]:
                ends = [*cuts[1:], slots]
                found = [
                    ((start + begin) % slots, int(highest[(start + begin) % slots, end - begin - 1]))
                    for begin, end in zip(cuts, ends, strict=True)
                ]
                best[steps] = cost, found
    return {steps: _merged(found) for steps, (_, found) in best.items()}


def _from(start: int, costs: Costs, most: int) -> dict[int, tuple[float, list[int]]]:
    """The minimum cost of the day from a slot on, per number of steps, and where the steps begin."""
    slots = len(costs)
    begins, ends = np.arange(slots), np.arange(1, slots + 1)
    rows = (start + begins)[:, None] % slots
    lengths = ends[None, :] - begins[:, None]
    # The cost of one step from `begins` to `ends`; infinite if it would end before it begins.
    single = np.where(lengths > 0, costs[rows, np.maximum(lengths, 1) - 1], np.inf)
    least = single[0]
    chosen: list[NDArray[np.intp]] = []
    found = {1: (float(least[-1]), [0])}
    for steps in range(2, most + 1):
        # The last step begins at the end of the others.
        sums = np.concatenate([[np.inf], least[:-1]])[:, None] + single
        chosen.append(sums.argmin(axis=0))
        least = sums.min(axis=0)
        if not np.isfinite(least[-1]):
            break
        cuts, end = [], slots
        for choice in reversed(chosen):
            end = int(choice[end - 1])
            cuts.append(end)
        found[steps] = float(least[-1]), [0, *reversed(cuts)]
    return found


def _merged(steps: list[Step]) -> list[Step]:
    kept = [step for index, step in enumerate(steps) if step[1] != steps[index - 1][1]]
    return sorted(kept or steps[:1])
