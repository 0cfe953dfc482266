"""What a decision costs the reviewer: time, and exposure to a severe post.

The transaction of the decision counts both beside the verdicts of a reviewer's day (`day#2026-11-23`, `reviewer#…`).
"""

from __future__ import annotations

from typing import Final

from reviews.entry import ReviewEntry, Verdict

SEVERE_PROBABILITY: Final = 0.9
BREAK_SECONDS: Final = 300


def is_severe(entry: ReviewEntry, verdict: str | None) -> bool:
    """Return whether this verdict means exposure to a severe post: a violation with a high probability.

    A violation without a probability counts as severe too, because overstating exposure is safer than understating it.
    """
    return verdict == Verdict.VIOLATION and (entry.probability is None or entry.probability >= SEVERE_PROBABILITY)


def burden(
    entry: ReviewEntry, verdict: Verdict, *, now: float, decided_before: float | None, lease_seconds: int
) -> dict[str, int]:
    """Return the counts of a decision: `severe`, and `milliseconds` of one `timed`.

    Time runs from the reviewer's previous decision, `decided_before` in seconds since 1970, because a page takes
    several posts at once and renews their leases. After a break of more than BREAK_SECONDS it runs from the start of
    the lease. If that is longer ago too, the decision is not timed, because the reviewer may have done something else.
    """
    counts = {"severe": 1} if is_severe(entry, verdict) else {}
    starts = [decided_before, None if entry.leased_until is None else entry.leased_until - lease_seconds]
    for start in starts:
        if start is not None and 0 <= now - start <= BREAK_SECONDS:
            return {**counts, "milliseconds": round(1000 * (now - start)), "timed": 1}
    return counts
