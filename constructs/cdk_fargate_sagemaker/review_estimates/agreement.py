"""The agreement of two reviewers of the same posts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


def cohens_kappa(pairs: Mapping[tuple[str, str], int]) -> float | None:
    """Agreement beyond chance of two reviewers' verdicts, at most 1, from the number of posts with each pair of
    verdicts.

    None without pairs, or if chance alone would make all of them agree. Cohen, A coefficient of agreement for nominal
    scales, Educational and Psychological Measurement 20 (1960).
    """
    count = sum(pairs.values())
    if not count:
        return None
    agreed = sum(number for (first, second), number in pairs.items() if first == second) / count
    firsts: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for (first, second), number in pairs.items():
        firsts[first] += number
        seconds[second] += number
    by_chance = sum(number * seconds[verdict] for verdict, number in firsts.items()) / (count * count)
    if by_chance == 1:
        return None
    return (agreed - by_chance) / (1 - by_chance)
