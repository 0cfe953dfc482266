"""Limits of the changes by reviewers; beyond them a person has to look at the decisions first."""

import dataclasses
import sqlite3
from typing import Any, Self


class ReviewLimitError(Exception):
    """Reviewers changed too many labels, or one reviewer gave too many of them; the message says which."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLimits:
    """Limits of changed labels, and of labels by one reviewer.

    max_changed_percent: maximum share of the base data whose label reviewers change;
    min_changed: number of changes from which this limit applies, so that a small data set can be corrected;
    max_reviewer_percent: maximum share of one reviewer, among all labels and among new ones;
    min_labels: number of labels from which this limit applies, so that a small team can start.
    """

    max_changed_percent: float = 10
    min_changed: int = 20
    max_reviewer_percent: float = 60
    min_labels: int = 100

    @classmethod
    def of(cls, given: Any) -> Self:
        """The limits in the event, or the defaults. Raises ValueError."""
        names = {field.name for field in dataclasses.fields(cls)}
        if given is None:
            return cls()
        if not isinstance(given, dict) or not set(given) <= names:
            raise ValueError
        if any(isinstance(value, bool) or not isinstance(value, int | float) or value < 0 for value in given.values()):
            raise ValueError
        return cls(**given)

    def check_changed(self, changed: int, base: int) -> None:
        """Raises ReviewLimitError if `changed` of `base` labels are too many."""
        if changed >= self.min_changed and changed * 100 > self.max_changed_percent * base:
            raise ReviewLimitError(
                f"reviewers changed {changed} of {base} labels of the base data, {changed / base:.1%}: "
                f"at most {self.max_changed_percent:g} % may change; look at who decided, leave out whose decisions "
                f"are wrong (review-decisions), or raise max_changed_percent"
            )

    def check_reviewers(self, posts: sqlite3.Connection, since: float | None) -> None:
        """Raises ReviewLimitError if one reviewer gave too many of all labels, or of those decided after `since`."""
        for which, after in (("labels", None), ("new labels", since)):
            shares = posts.execute(
                "SELECT count(*) AS given, reviewer FROM decision"
                " WHERE label IS NOT NULL AND (?1 IS NULL OR decided > ?1)"
                " GROUP BY reviewer ORDER BY given DESC, reviewer",
                (after,),
            ).fetchall()
            total = sum(given for given, _ in shares)
            if total < max(self.min_labels, 1):
                continue
            most, reviewer = shares[0]
            if most * 100 > self.max_reviewer_percent * total:
                raise ReviewLimitError(
                    f"{most} of {total} {which}, {most / total:.1%}, are of the reviewer {reviewer or 'not recorded'}: "
                    f"at most {self.max_reviewer_percent:g} % may be of one; have others review too, leave out whose "
                    f"decisions are wrong (review-decisions), or raise max_reviewer_percent"
                )
