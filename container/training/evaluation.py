"""The metrics of a model, and the threshold from which it flags a post."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score


def best_threshold(labels: Sequence[int], probabilities: npt.NDArray[np.float64]) -> float:
    """Return the threshold with the highest F1 (the highest of equals), half-way to the next lower probability.

    The middle leaves room on both sides: if a threshold equals a post's probability, rounding can change the flag.
    """
    truth = np.asarray(labels)
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(truth[order])
    flagged = np.arange(1, len(ranked) + 1)
    f1 = 2 * hits / (flagged + truth.sum())
    # Posts with the same probability are all flagged or all passed.
    last_of_equals = np.append(ranked[1:] != ranked[:-1], True)
    best = int(np.argmax(np.where(last_of_equals, f1, -1.0)))
    lower = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + lower) / 2)


def metrics(labels: Sequence[int], probabilities: npt.NDArray[np.float64], *, threshold: float) -> dict[str, float]:
    """Return AUC and average precision of the ranking; precision, recall and F1 of `probability >= threshold`."""
    flags = probabilities >= threshold
    return {
        "auc": float(roc_auc_score(labels, probabilities)),
        "average_precision": float(average_precision_score(labels, probabilities)),
        "precision": float(precision_score(labels, flags, zero_division=0)),
        "recall": float(recall_score(labels, flags, zero_division=0)),
        "f1": float(f1_score(labels, flags, zero_division=0)),
    }
