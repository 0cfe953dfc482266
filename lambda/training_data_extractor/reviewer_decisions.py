"""Reviewers' decisions, and which of them become labels.

- The latest decision on a post counts, or the one before it if the latest is by a reviewer who is left out.
- A decision replaces the label of a training post. It replaces the label of a test post only if two reviewers agree,
  and never in the fixed part.

The table has the decisions of one run: `label` is NULL for "unsure"; `first_…` is the earlier opinion, if two reviewers
judged the post.
"""

import dataclasses
import sqlite3
from typing import Any

LEFT_OUT = "left-out"
LEAVE_OUT, TAKE_BACK = "leave-out", "take-back"
LABELS = {"violation": 1, "fine": 0}


class FaultyReviewerError(Exception):
    """An entry of the reviewers who are left out is not valid."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision on one post: the latest opinion, and the earlier one if two reviewers judged it."""

    reviewer: str
    first_reviewer: str | None
    first_label: int | None

    @classmethod
    def of(cls, item: dict[str, Any]) -> "Decision":
        """Reads an item of the reviewers' table; missing attributes are None."""
        return cls(
            reviewer=_text(item, "decided_by") or "",
            first_reviewer=_text(item, "first_reviewer"),
            first_label=LABELS.get(_text(item, "first_verdict") or ""),
        )


class ReviewerDecisions:
    """The table `decision` of `posts`."""

    def __init__(self, posts: sqlite3.Connection) -> None:
        self._posts = posts
        self._changes_of_who_counts: list[tuple[str, str, str]] = []
        posts.execute(
            "CREATE TABLE decision (key BLOB PRIMARY KEY, sided BLOB, digest BLOB, text TEXT, label INTEGER,"
            " decided REAL, reviewer TEXT, first_reviewer TEXT, first_label INTEGER) WITHOUT ROWID"
        )

    def begin(self) -> None:
        """Call before adding many decisions."""
        self._posts.execute("BEGIN")

    def commit(self) -> None:
        """Call after adding them."""
        self._posts.execute("COMMIT")

    def add(
        self, key: bytes, sided: bytes, digest: bytes, text: str, label: int | None, decided: float, by: Decision
    ) -> None:
        """Adds a decision; the latest one on posts with the same key is kept."""
        self._posts.execute(
            "INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
            " sided = excluded.sided, digest = excluded.digest,"
            " text = excluded.text, label = excluded.label, decided = excluded.decided,"
            " reviewer = excluded.reviewer, first_reviewer = excluded.first_reviewer,"
            " first_label = excluded.first_label WHERE excluded.decided > decided",
            (key, sided, digest, text, label, decided, by.reviewer, by.first_reviewer, by.first_label),
        )

    def leave_out_or_take_back(self, item: dict[str, Any]) -> None:
        """Records an entry about a reviewer who is left out. Raises FaultyReviewerError."""
        at, reviewer, action = (_text(item, name) for name in ("entry", "reviewer", "action"))
        if at is None or reviewer is None or action not in (LEAVE_OUT, TAKE_BACK):
            raise FaultyReviewerError
        self._changes_of_who_counts.append((at, reviewer, action))

    def leave_out(self) -> int:
        """Removes the decisions of reviewers who are left out. Returns the number of posts."""
        latest = {reviewer: action for _, reviewer, action in sorted(self._changes_of_who_counts)}
        posts, affected = self._posts, 0
        for reviewer in (reviewer for reviewer, action in latest.items() if action == LEAVE_OUT):
            # The earlier opinion counts again; if its reviewer is left out too, it is removed in that reviewer's turn.
            affected += posts.execute(
                "UPDATE decision SET label = first_label, reviewer = first_reviewer, first_reviewer = NULL,"
                " first_label = NULL WHERE reviewer = ?1 AND first_reviewer IS NOT NULL AND first_reviewer != ?1",
                (reviewer,),
            ).rowcount
            affected += posts.execute("DELETE FROM decision WHERE reviewer = ?", (reviewer,)).rowcount
            affected += posts.execute(
                "UPDATE decision SET first_reviewer = NULL, first_label = NULL WHERE first_reviewer = ?", (reviewer,)
            ).rowcount
        return affected

    def merge(self, since: float | None) -> dict[str, int]:
        """Applies the decisions to the posts' labels, and adds new posts to the training side."""
        posts = self._posts
        labels, new, unsure = posts.execute(
            "SELECT count(label), coalesce(sum(label IS NOT NULL AND (?1 IS NULL OR decided > ?1)), 0),"
            " coalesce(sum(label IS NULL), 0) FROM decision",
            (since,),
        ).fetchone()
        posts.execute("CREATE INDEX post_key ON post (key)")
        other = (
            "FROM decision, side WHERE side.key = post.sided AND decision.key = post.key"
            " AND decision.label IS NOT NULL AND decision.label != post.label"
        )
        agreed = "(first_reviewer IS NOT NULL AND first_reviewer != reviewer AND first_label = decision.label)"
        counted = "SELECT count(*) FROM post WHERE EXISTS (SELECT 1 {} AND {})"
        (unconfirmed,) = posts.execute(counted.format(other, f"side = 'test' AND NOT {agreed}")).fetchone()
        (fixed,) = posts.execute(counted.format(other, "side = 'fixed'")).fetchone()
        taken = f"{other} AND (side = 'train' OR side = 'test' AND {agreed})"
        changed = posts.execute(f"UPDATE post SET label = decision.label {taken}").rowcount  # nosec B608  # our own text
        unknown = (
            "FROM decision JOIN side ON side.key = decision.sided WHERE decision.label IS NOT NULL"
            " AND decision.key NOT IN (SELECT key FROM post) AND side"
        )
        (held_back,) = posts.execute(f"SELECT count(*) {unknown} != 'train'").fetchone()
        added = posts.execute(
            f"INSERT INTO post SELECT digest, decision.key, sided, text, decision.label, 0 {unknown} = 'train'"
        ).rowcount
        return {
            "labels": labels,
            "new": new,
            "unsure": unsure,
            "changed": changed,
            "unconfirmed": unconfirmed,
            "fixed": fixed,
            "added": added,
            "held_back": held_back,
        }


def _text(item: dict[str, Any], name: str) -> str | None:
    match item.get(name):
        case {"S": str(characters)}:
            return characters
    return None
