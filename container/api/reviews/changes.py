"""The changes that a decision, or undoing it, makes to the table, in one transaction.

It changes the post itself, its append-only history, the reviewer's day, and the counts for estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aws.attribute_values import attribute_values
from reviews.burden import burden, is_severe
from reviews.entry import ReviewEntry, Verdict
from reviews.table import FREE, attribute_names, day_key, item_key, second_queue, waiting_queue
from reviews.tally import adding, cell, tally_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_HOLDS_LEASE: Final = "#lease = :lease AND #leased_by = :me AND #decisions = :before"
_DECIDED_LATEST: Final = f"#decided_by = :me AND #decisions = :before AND {FREE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """token: the value that a decision must name. until: the end of the lease, in seconds since 1970."""

    token: str
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A reviewer's change to a post.

    assignments: the post's new attributes, by name. removals: the names of attributes to remove.
    condition, placeholders: the condition of the change, and the values of its placeholders.
    decided: the time of the decision, in ISO 8601. history: the new entry of the post's history.
    counted_on, counts: the day of the reviewer's work that counts it, and the changes to its counters.
    tallied: the changes to the counts for estimates.
    latest: the time of the reviewer's latest decision of the day, in milliseconds since 1970; None keeps the value.
    """

    reviewer: str
    number: int
    assignments: dict[str, object]
    removals: list[str]
    condition: str
    placeholders: dict[str, object]
    decided: str
    history: dict[str, object]
    counted_on: str
    counts: dict[str, int]
    tallied: dict[str, int] = field(default_factory=dict)
    latest: int | None = None

    def transaction(self, table: str, entry: ReviewEntry) -> list[TransactWriteItemTypeDef]:
        """Return the parts of the transaction that makes the change."""
        assigned = ", ".join(f"#{name} = :new_{name}" for name in self.assignments)
        update = f"SET {assigned} REMOVE {', '.join(f'#{name}' for name in self.removals)}"
        parts: list[TransactWriteItemTypeDef] = [
            {
                "Update": {
                    "TableName": table,
                    "Key": item_key(entry.post),
                    "UpdateExpression": update,
                    "ConditionExpression": self.condition,
                    "ExpressionAttributeNames": attribute_names(update, self.condition),
                    "ExpressionAttributeValues": attribute_values(
                        {**{f":new_{name}": value for name, value in self.assignments.items()}, **self.placeholders}
                    ),
                }
            },
            {
                "Put": {
                    "TableName": table,
                    "Item": attribute_values(
                        {
                            "post": entry.post,
                            "entry": f"decision#{self.number:06}",
                            "reviewer": self.reviewer,
                            "decided": self.decided,
                            **self.history,
                        }
                    ),
                    "ConditionExpression": "attribute_not_exists(post)",
                }
            },
        ]
        setting = None if self.latest is None else {"latest": self.latest}
        parts.append(adding(table, day_key(self.reviewer, self.counted_on), self.counts, setting=setting))
        if self.tallied:
            parts.append(adding(table, tally_key(entry.received, f"reviewer#{self.reviewer}"), self.tallied))
        return parts


def decision_change(
    entry: ReviewEntry,
    item: dict[str, Any],
    *,
    reviewer: str,
    verdict: Verdict,
    reason: str,
    now: float,
    shard: int,
    decided_before: float | None,
    lease_seconds: int,
) -> Change:
    """Return the change that a verdict makes.

    item: the post's attributes in the table. decided_before: see `burden`.
    """
    decided = iso_time(now)
    number = entry.decisions + 1
    assignments: dict[str, object] = {
        "decisions": number,
        "verdict": verdict,
        "reason": reason,
        "decided": decided,
        "decided_by": reviewer,
        "decided_lease": entry.lease,
    }
    removals = ["lease", "lease_until", "leased_by", "expires"]
    _label(verdict.label, assignments, removals)
    if item.get("second", False) and entry.first_reviewer is None:
        # The post continues to wait, for another reviewer.
        assignments |= {"first_reviewer": reviewer, "first_verdict": verdict, "queue": second_queue(shard)}
    else:
        removals.append("queue")
    pair = f"pair:{entry.first_verdict}:{verdict}" if entry.first_verdict else None
    return Change(
        reviewer=reviewer,
        number=number,
        assignments=assignments,
        removals=removals,
        condition=_HOLDS_LEASE,
        placeholders={":lease": entry.lease, ":me": reviewer, ":before": entry.decisions},
        decided=decided,
        history={
            "verdict": verdict,
            "reason": reason,
            "probability": item.get("probability"),
            "model": item.get("model"),
        },
        counted_on=decided[:10],
        counts={
            verdict.value: 1,
            **burden(entry, verdict, now=now, decided_before=decided_before, lease_seconds=lease_seconds),
        },
        tallied=_tallied(entry, verdict, pair=pair, by=1),
        latest=round(1000 * now),
    )


def undo_change(
    entry: ReviewEntry, *, reviewer: str, now: float, shard: int, lease: Lease, expires: int | None
) -> Change:
    """Return the change that undoes the latest decision: its reviewer gets the post again, with `lease`.

    expires: when a post without a decision may be removed, in seconds since 1970; None for never.
    """
    decided = iso_time(now)
    assignments: dict[str, object] = {
        "decisions": entry.decisions + 1,
        "lease": lease.token,
        "lease_until": lease.until,
        "leased_by": reviewer,
    }
    removals = ["decided_lease", "reason"]
    first, pair = entry.first_verdict, None
    if first is not None and entry.first_reviewer not in (None, reviewer):
        # The first reviewer's verdict counts again, dated now, because the last release may not have used this label.
        assignments |= {
            "verdict": first,
            "decided_by": entry.first_reviewer,
            "decided": decided,
            "queue": second_queue(shard),
        }
        label = Verdict(first).label
        pair = f"pair:{first}:{entry.verdict}"
    else:
        first = None
        removals += ["verdict", "decided", "decided_by", "first_verdict", "first_reviewer"]
        assignments["queue"] = waiting_queue(shard)
        label = None
        if expires is not None:
            assignments["expires"] = expires
    _label(label, assignments, removals)
    return Change(
        reviewer=reviewer,
        number=entry.decisions + 1,
        assignments=assignments,
        removals=removals,
        condition=_DECIDED_LATEST,
        placeholders={":me": reviewer, ":before": entry.decisions, ":now": int(now)},
        decided=decided,
        history={"verdict": "undone", "of": entry.decisions},
        counted_on=(entry.decided or decided)[:10],
        # The time stays counted. Exposure to one post counts once, however often the reviewer decides on it.
        counts={
            str(entry.verdict): -1,
            "undone": 1,
            **({"severe": -1} if is_severe(entry, entry.verdict) else {}),
        },
        tallied=_tallied(entry, first, pair=pair, by=-1),
    )


def iso_time(seconds: float) -> str:
    """Return a time, in seconds since 1970, in ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _label(label: int | None, assignments: dict[str, object], removals: list[str]) -> None:
    if label is None:
        removals.append("label")
    else:
        assignments["label"] = label


def _tallied(entry: ReviewEntry, standing: str | None, *, pair: str | None, by: int) -> dict[str, int]:
    """Return the changes to the counts if `standing` becomes the valid verdict and the count of `pair` changes by `by`.

    `pair`: the verdicts of two reviewers, None if there is no second one.
    """
    changes: dict[str, int] = {pair: by} if pair else {}
    if entry.probability is not None and standing != entry.verdict:
        for verdict, change in ((entry.verdict, -1), (standing, 1)):
            if verdict is not None:
                name = cell(
                    flagged=entry.flagged, probability=entry.probability, weight=entry.weight, kind=str(verdict)
                )
                changes[name] = change
    return changes
