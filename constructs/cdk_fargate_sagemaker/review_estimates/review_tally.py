"""The posts of the review table, from the ML API's counters: no post is read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .reviewed_post import VERDICTS, ReviewedPost

_STRATA = {"flagged": True, "sample": False}


@dataclass(frozen=True, slots=True)
class ReviewTally:
    """posts: one row per stratum, probability, weight and verdict. pairs: posts by the verdicts of two reviewers.

    The probability of a row is the middle of the API's band. The counters do not have the day of reception: it is 0 in
    all rows.
    """

    posts: list[ReviewedPost] = field(default_factory=list)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def of(cls, counts: Iterable[Mapping[str, int]]) -> ReviewTally:
        """Sum counts by name: `flagged:0.975:1:stored`, `sample:0.025:100:fine`, `pair:fine:violation`.

        Names are a stratum, the middle of a band of probability, a weight, and `stored` or a verdict; or `pair`, the
        first and the second verdict. Raises ValueError for any other.
        """
        summed: Counter[str] = Counter()
        for part in counts:
            summed.update(part)
        cells: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
        tally = cls()
        for name, count in summed.items():
            match name.split(":"):
                case ["pair", first, second] if first in VERDICTS and second in VERDICTS:
                    if count > 0:
                        tally.pairs[first, second] = count
                case [stratum, probability, weight, kind] if stratum in _STRATA and kind in (*VERDICTS, "stored"):
                    # Below zero only if a post was decided before the counters existed.
                    cells[stratum, probability, weight][kind] = max(0, count)
                case _:
                    raise ValueError(f"{name!r} is no name of a count: `flagged:0.975:1:stored` is one")
        for (stratum, probability, weight), kinds in cells.items():
            judged = sum(kinds.get(verdict, 0) for verdict in VERDICTS)
            rows = [(verdict, kinds.get(verdict, 0)) for verdict in VERDICTS]
            # A killed process does not write its last minute's counts: then fewer posts are stored than judged.
            for verdict, count in [*rows, (None, kinds.get("stored", 0) - judged)]:
                if count > 0:
                    tally.posts.append(
                        ReviewedPost(
                            probability=float(probability),
                            flagged=_STRATA[stratum],
                            weight=float(weight),
                            received=0.0,
                            verdict=verdict,
                            count=count,
                        )
                    )
        return tally
