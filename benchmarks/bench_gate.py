"""How often the release gate refuses a model that is as good as the current one, or worse: `make bench-gate`.

Scores of both models are normal and correlated, like those of two models trained on nearly the same data.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "lambda" / "model_evaluator"))
from auc_interval import drop_interval, shares

MARGIN = 0.01
AUC = 0.85
FALLS = (0.0, 0.03, 0.05, 0.10)


def refused(violations: int, fall: float, *, runs: int, correlation: float) -> tuple[float, float]:
    """The share of runs that the gate refuses, and that a test of only the difference would refuse."""
    chance = np.random.default_rng(violations)
    labels = [1] * violations + [0] * (5 * violations)
    by_gate = by_difference = 0
    for _ in range(runs):
        common, *own = chance.standard_normal((3, len(labels)))
        current, new = (math.sqrt(correlation) * common + math.sqrt(1 - correlation) * one for one in own)
        current[:violations] += NormalDist().inv_cdf(AUC) * math.sqrt(2)
        new[:violations] += NormalDist().inv_cdf(AUC - fall) * math.sqrt(2)
        drop = drop_interval(shares(labels, current.tolist()), shares(labels, new.tolist()))
        by_difference += drop.value > MARGIN
        by_gate += drop.value > MARGIN and drop.low > 0
    return by_gate / runs, by_difference / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--correlation", type=float, default=0.8)
    given = parser.parse_args()
    for violations in (10, 20, 33, 100, 300):
        cells = [refused(violations, fall, runs=given.runs, correlation=given.correlation) for fall in FALLS]
        shown = (f"{100 * gate:.0f} % ({100 * alone:.0f} %)" for gate, alone in cells)
        print(f"| {violations} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
