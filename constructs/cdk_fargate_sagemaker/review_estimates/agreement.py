"""How far two reviewers of the same posts agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


def cohens_kappa(pairs: Mapping[tuple[str, str], int]) -> float | None:
    """Agreement beyond chance of two reviewers' verdicts, 1 at most, by how many posts each pair of them was given to.

    None for no pairs, or where chance alone would agree on all of them. Cohen, A coefficient of agreement for nominal
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
