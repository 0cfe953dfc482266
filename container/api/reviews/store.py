"""The table of posts that reviewers judge, with every decision ever made.

Items (partition key `post`, sort key `entry`):
- a post: the SHA-256 of its normalised text, `post`. While it waits for a reviewer it has `queue` beside `priority`,
  and is in the index by these: the most probable one that waits is the first of one query. While it waits for a second
  opinion it is in a queue of its own. A decided one has `verdict`, and `label` where it makes training data.
- a decision: the same key, `decision#000001` and so on. None is ever changed.
- how many decisions a reviewer makes in a minute: see review_pace.
- a day's work of a reviewer: `day#2026-11-23`, `reviewer#…`, with counters, see review_burden for those of time and
  exposure, and with when the latest decision was made, `latest` in milliseconds since 1970.
- counts for estimates: `received#2026-11-23`, see review_tally.
- counts of what was served: `served#2026-11-23`, see served_tally.
- the posts stored on a day: `quota#2026-11-23`, see review_quota.
- a post that was decided on after its request had been answered: `late#…` with the request's id, for some weeks.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from aws.dynamodb_client import dynamodb_client
from reviews.burden import burden, is_severe
from reviews.entry import ReviewEntry, Verdict, attributes, number_attribute
from reviews.pace import ReviewPace
from reviews.post import ReviewPost
from reviews.quota import ReviewQuota
from reviews.served_tally import ServedTally
from reviews.tally import StoredTally, adding, cell, tally_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX: Final = "queue"
POST_ENTRY: Final = "post"
MOST_TAKEN: Final = 50
MOST_COUNTED: Final = 1000
LATE_MARK_SECONDS: Final = 28 * 86_400
"""As long as a post can be on the queue and on its dead-letter queue, 14 days on each."""
_ATTEMPTS: Final = 5
_NAME: Final = re.compile(r"#(\w+)")
_COUNTED_VERDICTS: Final = (*(verdict.value for verdict in Verdict), "undone")
_FREE: Final = "(attribute_not_exists(#lease_until) OR #lease_until < :now"
_NOT_MINE_BEFORE: Final = "(attribute_not_exists(#first_reviewer) OR #first_reviewer <> :me)"


class ReviewConflictError(Exception):
    """What was asked of a post is not possible as it stands now. The message is one line for the reviewer."""


class UnknownPostError(Exception):
    """There is no such post."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatistics:
    """How many decisions of each kind were made on a day, by everybody and by one reviewer; undone ones are not in."""

    everybody: dict[str, int]
    mine: dict[str, int]


class ReviewStore:
    """Reads and writes the table, from any number of threads and services at once.

    Raises DYNAMODB_FAULTS where the table does not answer, ReviewConflictError where another reviewer was faster, and
    TooFastError where one decides more often than `decisions_a_minute`.
    """

    def __init__(
        self,
        *,
        table: str,
        region: str,
        shards: int,
        lease_seconds: int,
        ttl_days: int | None,
        daily_quota: int,
        decisions_a_minute: int,
        over_quota: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._region = region
        self._shards = shards
        self._lease_seconds = lease_seconds
        self._ttl_days = ttl_days
        self._clock = clock
        self._quota = ReviewQuota(table=table, daily=daily_quota, clock=clock)
        self._over_quota = over_quota
        self._pace = ReviewPace(table, most=decisions_a_minute)
        self._tally = StoredTally(table)
        self.served = ServedTally(table, clock=clock)
        self._lock = threading.Lock()
        self._made: DynamoDBClient | None = None

    @property
    def _client(self) -> DynamoDBClient:
        # Not where the store is made: it waits for credentials.
        with self._lock:
            self._made = self._made or dynamodb_client(region=self._region, attempts=3, read_timeout_seconds=3)
            return self._made

    def keep(self, post: ReviewPost, client: DynamoDBClient | None = None) -> bool | None:
        """Store a post that waits for a reviewer; False where it was there already, whatever became of it.

        None where the quota of the day is used up: `over_quota` was called, and it is not stored.
        """
        client = client or self._client
        place = self._quota.take(client)
        if place is None:
            self._over_quota()
            return None
        key = post.key
        item: dict[str, Any] = {
            "post": {"S": key},
            "entry": {"S": POST_ENTRY},
            "text": {"S": post.text},
            "received": {"S": post.received},
            "flagged": {"BOOL": post.flagged},
            "weight": number_attribute(post.weight),
            "priority": number_attribute(post.priority),
            "queue": {"S": _waiting(self._shard_of(key))},
            "decisions": {"N": "0"},
            "second": {"BOOL": post.second},
            **self._expiry(),
        }
        if post.probability is not None:
            item["probability"] = number_attribute(post.probability)
        if post.model is not None:
            item["model"] = {"S": post.model}
        try:
            client.put_item(TableName=self._table, Item=item, ConditionExpression="attribute_not_exists(post)")
        except ClientError as fault:
            # Answered, and not stored. Where no answer came it may have been: then the place counts.
            self._quota.give_back(place)
            if _code(fault) != "ConditionalCheckFailedException":
                raise
            return False
        self._tally.add(post)
        return True

    def mark_late(self, request_id: str, received: str, place: int) -> bool:
        """Mark a post as decided on late; False where it was marked already."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    "post": {"S": f"late#{request_id}"},
                    "entry": {"S": f"{received}#{place}"},
                    "expires": {"N": str(int(self._clock()) + LATE_MARK_SECONDS)},
                },
                ConditionExpression="attribute_not_exists(post)",
            )
        except ClientError as fault:
            if _code(fault) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def write_tally(self) -> None:
        """Write how many posts were stored, and how many served, since the last time; raise DYNAMODB_FAULTS."""
        self._tally.write(self._client)
        self.served.write(self._client)

    def waiting(self, *, reviewer: str, count: int) -> list[ReviewEntry]:
        """Return up to `count` posts that `reviewer` could take, the most probable first."""
        keys = [row["post"]["S"] for row in islice(self._free_rows(reviewer), count)]
        return [entry for entry in self._entries(keys) if entry.waiting]

    def take(self, *, reviewer: str, count: int) -> list[ReviewEntry]:
        """Give `reviewer` up to `count` posts, the most probable first, for the seconds of a lease.

        Nobody else gets them meanwhile. Those that `reviewer` has already are among them, with a new lease.
        """
        taken: list[ReviewEntry] = []
        for row in self._free_rows(reviewer):
            entry = self._lease(row["post"]["S"], reviewer)
            if entry is not None:
                taken.append(entry)
            if len(taken) == count:
                break
        return taken

    def decide(self, *, reviewer: str, post: str, lease: str, verdict: Verdict, reason: str) -> ReviewEntry:
        """Record what `reviewer`, who holds `lease`, says of `post`. Asked again for the same, it answers the same."""
        entry = self.entry(post)
        for _ in range(_ATTEMPTS):
            if entry.decided_lease == lease and entry.decided_by == reviewer:
                if entry.verdict == verdict:
                    return entry
                raise ReviewConflictError(f"you have decided on it already: {entry.verdict}; undo that first")
            if entry.lease != lease or entry.leased_by != reviewer:
                raise ReviewConflictError(_whose(entry, reviewer))
            entry = self._decide(entry, reviewer=reviewer, verdict=verdict, reason=reason)
        raise ReviewConflictError("others change the post at the same time: try again")

    def undo(self, *, reviewer: str, post: str, decision: int) -> ReviewEntry:
        """Take back `reviewer`'s decision of that number, and give the post to that reviewer again.

        The decision stays in the history, and the undoing is a new entry. Asked again, it answers the same.
        """
        entry = self.entry(post)
        for _ in range(_ATTEMPTS):
            if entry.decisions == decision + 1 and entry.leased_by == reviewer and entry.decided_by != reviewer:
                return entry
            if entry.decisions != decision or entry.decided_by != reviewer:
                raise ReviewConflictError(f"your decision {decision} on the post is not its latest")
            if entry.leased_until is not None and entry.leased_until >= self._clock():
                raise ReviewConflictError("another reviewer judges the post now: wait a little")
            entry = self._undo(entry, reviewer)
        raise ReviewConflictError("others change the post at the same time: try again")

    def entry(self, post: str) -> ReviewEntry:
        """Return a post as it stands; UnknownPostError where there is none."""
        found = self._client.get_item(TableName=self._table, Key=_key(post), ConsistentRead=True).get("Item")
        if found is None:
            raise UnknownPostError
        return ReviewEntry.from_item(found)

    def history(self, post: str) -> list[dict[str, Any]]:
        """Return every decision on a post, the first one first."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="post = :post AND begins_with(entry, :decision)",
            ExpressionAttributeValues={":post": {"S": post}, ":decision": {"S": "decision#"}},
            ConsistentRead=True,
        )
        return [attributes(item) for item in answer["Items"]]

    def day(self, *, reviewer: str, date: str) -> DayStatistics:
        """Return the statistics of a day of UTC, `2026-11-23`."""
        everybody, mine = dict.fromkeys(_COUNTED_VERDICTS, 0), dict.fromkeys(_COUNTED_VERDICTS, 0)
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="post = :day",
            ExpressionAttributeValues={":day": {"S": f"day#{date}"}},
        )
        for page in pages:
            for item in page["Items"]:
                values = attributes(item)
                for name in _COUNTED_VERDICTS:
                    number = int(values.get(name, 0))
                    everybody[name] += number
                    if values["entry"] == f"reviewer#{reviewer}":
                        mine[name] += number
        return DayStatistics(everybody=everybody, mine=mine)

    def waiting_count(self) -> int:
        """Return how many posts nobody has judged, MOST_COUNTED at most: what counting costs is bounded too."""
        counted = 0
        for shard in range(self._shards):
            counted += self._client.query(
                TableName=self._table,
                IndexName=INDEX,
                KeyConditionExpression="queue = :queue",
                ExpressionAttributeValues={":queue": {"S": _waiting(shard)}},
                Select="COUNT",
                Limit=MOST_COUNTED,
            )["Count"]
        return min(counted, MOST_COUNTED)

    def _shard_of(self, key: str) -> int:
        return int(key[:8], 16) % self._shards

    def _expiry(self) -> dict[str, Any]:
        if self._ttl_days is None:
            return {}
        return {"expires": {"N": str(int(self._clock()) + self._ttl_days * 86_400)}}

    def _free_rows(self, reviewer: str) -> Iterator[dict[str, Any]]:
        """Rows of the index, the highest priority first, without those that other reviewers hold.

        One query each shard. What others hold is at the head, and as many as there are reviewers at work: the filter
        passes over it within the first page. Of those that wait for a second opinion one page is read: where it is
        all this reviewer's own, somebody else has to take them first.
        """
        shards = range(self._shards)
        return _merged(
            [self._queue_rows(_waiting(shard), reviewer) for shard in shards]
            + [self._queue_rows(_second(shard), reviewer, one_page=True) for shard in shards]
        )

    def _queue_rows(self, queue: str, reviewer: str, *, one_page: bool = False) -> Iterator[dict[str, Any]]:
        names = f"{_FREE} OR #leased_by = :me) AND {_NOT_MINE_BEFORE}"
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "#queue = :queue",
            "FilterExpression": names,
            "ExpressionAttributeNames": _names("#queue", names),
            "ExpressionAttributeValues": {
                ":queue": {"S": queue},
                ":now": {"N": str(int(self._clock()))},
                ":me": {"S": reviewer},
            },
            "ScanIndexForward": False,
            "Limit": 4 * MOST_TAKEN,
        }
        while True:
            answer = self._client.query(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer or one_page:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _entries(self, keys: list[str]) -> list[ReviewEntry]:
        found: dict[str, ReviewEntry] = {}
        asked: Any = {self._table: {"Keys": [_key(key) for key in keys]}} if keys else {}
        while asked:
            answer = self._client.batch_get_item(RequestItems=asked)
            for item in answer.get("Responses", {}).get(self._table, []):
                entry = ReviewEntry.from_item(item)
                found[entry.post] = entry
            asked = answer.get("UnprocessedKeys")
        return [found[key] for key in keys if key in found]

    def _lease(self, post: str, reviewer: str) -> ReviewEntry | None:
        update = "SET #lease = :lease, #lease_until = :until, #leased_by = :me"
        condition = f"attribute_exists(#queue) AND {_FREE} OR #leased_by = :me) AND {_NOT_MINE_BEFORE}"
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(post),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames=_names(update, condition),
                ExpressionAttributeValues={
                    ":now": {"N": str(int(self._clock()))},
                    ":me": {"S": reviewer},
                    **self._new_lease(),
                },
                ReturnValues="ALL_NEW",
            )
        except ClientError as fault:
            # The index follows the table by a moment: another reviewer has it, or has decided already.
            if _code(fault) != "ConditionalCheckFailedException":
                raise
            return None
        return ReviewEntry.from_item(answer["Attributes"])

    def _new_lease(self) -> dict[str, Any]:
        return {
            ":lease": {"S": secrets.token_hex(8)},
            ":until": {"N": str(int(self._clock()) + self._lease_seconds)},
        }

    def _decide(self, entry: ReviewEntry, *, reviewer: str, verdict: Verdict, reason: str) -> ReviewEntry:
        """Return the post as it stands afterwards, decided or not."""
        now = self._clock()
        decided = _iso(now)
        number = entry.decisions + 1
        item = self._client.get_item(TableName=self._table, Key=_key(entry.post), ConsistentRead=True).get("Item", {})
        second = item.get("second", {}).get("BOOL", False)
        assignments = [
            "#decisions = :number",
            "#verdict = :verdict",
            "#reason = :reason",
            "#decided = :decided",
            "#decided_by = :me",
            "#decided_lease = :lease",
        ]
        removals = ["#lease", "#lease_until", "#leased_by", "#expires"]
        values: dict[str, Any] = {
            ":number": {"N": str(number)},
            ":before": {"N": str(entry.decisions)},
            ":verdict": {"S": verdict},
            ":reason": {"S": reason},
            ":decided": {"S": decided},
            ":me": {"S": reviewer},
            ":lease": {"S": entry.lease},
        }
        if verdict.label is None:
            removals.append("#label")
        else:
            assignments.append("#label = :label")
            values[":label"] = {"N": str(verdict.label)}
        if second and entry.first_reviewer is None:
            # It waits on, for somebody else.
            assignments += ["#first_reviewer = :me", "#first_verdict = :verdict", "#queue = :second"]
            values[":second"] = {"S": _second(self._shard_of(entry.post))}
        else:
            removals.append("#queue")
        pair = f"pair:{entry.first_verdict}:{verdict}" if entry.first_verdict else None
        decision = {
            "verdict": {"S": verdict},
            "reason": {"S": reason},
            "probability": item.get("probability", {"NULL": True}),
            "model": item.get("model", {"NULL": True}),
        }
        return self._write(
            entry,
            update=f"SET {', '.join(assignments)} REMOVE {', '.join(removals)}",
            condition="#lease = :lease AND #leased_by = :me AND #decisions = :before",
            values=values,
            decision=decision,
            number=number,
            reviewer=reviewer,
            decided=decided,
            counted_on=decided[:10],
            counts={
                verdict.value: 1,
                **burden(
                    entry,
                    verdict,
                    now=now,
                    decided_before=self._decided_before(reviewer, decided[:10]),
                    lease_seconds=self._lease_seconds,
                ),
            },
            latest=round(1000 * now),
            tallied=_tallied(entry, verdict, pair=pair, by=1),
        )

    def _decided_before(self, reviewer: str, date: str) -> float | None:
        """Return when the reviewer made the latest decision of a day, in seconds since 1970; None without one."""
        answer = self._client.get_item(
            TableName=self._table,
            Key=_day_key(reviewer, date),
            ProjectionExpression="latest",
            ConsistentRead=True,
        )
        latest = answer.get("Item", {}).get("latest")
        return None if latest is None else int(latest["N"]) / 1000

    def _undo(self, entry: ReviewEntry, reviewer: str) -> ReviewEntry:
        decided = _iso(self._clock())
        number = entry.decisions + 1
        values: dict[str, Any] = {
            ":number": {"N": str(number)},
            ":before": {"N": str(entry.decisions)},
            ":me": {"S": reviewer},
            ":now": {"N": str(int(self._clock()))},
            **self._new_lease(),
        }
        assignments = [
            "#decisions = :number",
            "#queue = :queue",
            "#lease = :lease",
            "#lease_until = :until",
            "#leased_by = :me",
        ]
        removals = ["#decided_lease", "#reason"]
        shard, first, pair = self._shard_of(entry.post), entry.first_verdict, None
        if first is not None and entry.first_reviewer not in (None, reviewer):
            # What the first reviewer said stands again, and since now: a label that a release may not have seen.
            assignments += ["#verdict = :first", "#decided_by = :first_reviewer", "#decided = :decided"]
            values |= {
                ":first": {"S": first},
                ":first_reviewer": {"S": entry.first_reviewer},
                ":queue": {"S": _second(shard)},
                ":decided": {"S": decided},
            }
            label = Verdict(first).label
            pair = f"pair:{first}:{entry.verdict}"
        else:
            first = None
            removals += ["#verdict", "#decided", "#decided_by", "#first_verdict", "#first_reviewer"]
            values[":queue"] = {"S": _waiting(shard)}
            label = None
            if expiry := self._expiry():
                assignments.append("#expires = :expires")
                values[":expires"] = expiry["expires"]
        if label is None:
            removals.append("#label")
        else:
            assignments.append("#label = :label")
            values[":label"] = {"N": str(label)}
        return self._write(
            entry,
            update=f"SET {', '.join(assignments)} REMOVE {', '.join(removals)}",
            condition=f"#decided_by = :me AND #decisions = :before AND {_FREE})",
            values=values,
            decision={"verdict": {"S": "undone"}, "of": {"N": str(entry.decisions)}},
            number=number,
            reviewer=reviewer,
            decided=decided,
            counted_on=(entry.decided or decided)[:10],
            # The time was spent; of one post a reviewer is exposed once, however often it is decided on.
            counts={
                str(entry.verdict): -1,
                "undone": 1,
                **({"severe": -1} if is_severe(entry, entry.verdict) else {}),
            },
            tallied=_tallied(entry, first, pair=pair, by=-1),
        )

    def _write(
        self,
        entry: ReviewEntry,
        *,
        update: str,
        condition: str,
        values: dict[str, Any],
        decision: dict[str, Any],
        number: int,
        reviewer: str,
        decided: str,
        counted_on: str,
        counts: dict[str, int],
        tallied: dict[str, int],
        latest: int | None = None,
    ) -> ReviewEntry:
        """Change the post, append to its history and count, all or nothing. Return the post as it stands afterwards."""
        setting = None if latest is None else {"latest": latest}
        counting = [adding(self._table, _day_key(reviewer, counted_on), counts, setting=setting)]
        if tallied:
            counting.append(adding(self._table, tally_key(entry.received, f"reviewer#{reviewer}"), tallied))
        now = self._clock()
        try:
            self._client.transact_write_items(
                TransactItems=[
                    {
                        "Update": {
                            "TableName": self._table,
                            "Key": _key(entry.post),
                            "UpdateExpression": update,
                            "ConditionExpression": condition,
                            "ExpressionAttributeNames": _names(update, condition),
                            "ExpressionAttributeValues": values,
                        }
                    },
                    {
                        "Put": {
                            "TableName": self._table,
                            "Item": {
                                "post": {"S": entry.post},
                                "entry": {"S": f"decision#{number:06}"},
                                "reviewer": {"S": reviewer},
                                "decided": {"S": decided},
                                **decision,
                            },
                            "ConditionExpression": "attribute_not_exists(post)",
                        }
                    },
                    *counting,
                    self._pace.counting(reviewer, now),
                ]
            )
        except ClientError as fault:
            if _failed_at_last_alone(fault):
                raise self._pace.too_fast(now) from fault
            # How it stands tells whether it was another's or this very request, whose first answer was lost.
            if _code(fault) != "TransactionCanceledException" or not _was_changed(fault):
                raise
        return self.entry(entry.post)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _day_key(reviewer: str, date: str) -> dict[str, Any]:
    return {"post": {"S": f"day#{date}"}, "entry": {"S": f"reviewer#{reviewer}"}}


def _waiting(shard: int) -> str:
    return f"waiting#{shard}"


def _second(shard: int) -> str:
    return f"second#{shard}"


def _tallied(entry: ReviewEntry, standing: str | None, *, pair: str | None, by: int) -> dict[str, int]:
    """Return what the counts change by where `standing` is the verdict from now on, and a pair of two comes or goes."""
    changes: dict[str, int] = {pair: by} if pair else {}
    if entry.probability is not None and standing != entry.verdict:
        for verdict, change in ((entry.verdict, -1), (standing, 1)):
            if verdict is not None:
                name = cell(
                    flagged=entry.flagged, probability=entry.probability, weight=entry.weight, kind=str(verdict)
                )
                changes[name] = change
    return changes


def _key(post: str) -> dict[str, Any]:
    return {"post": {"S": post}, "entry": {"S": POST_ENTRY}}


def _names(*expressions: str) -> dict[str, str]:
    return {f"#{name}": name for expression in expressions for name in _NAME.findall(expression)}


def _code(fault: ClientError) -> str:
    return str(fault.response["Error"]["Code"])


def _was_changed(fault: ClientError) -> bool:
    reasons = {reason.get("Code") for reason in fault.response.get("CancellationReasons", [])}
    return bool(reasons & {"ConditionalCheckFailed", "TransactionConflict"})


def _failed_at_last_alone(fault: ClientError) -> bool:
    """Whether every part of a transaction but the last could have been written."""
    *others, last = [reason.get("Code") for reason in fault.response.get("CancellationReasons", [])] or [None]
    return last == "ConditionalCheckFailed" and set(others) <= {"None", None}


def _whose(entry: ReviewEntry, reviewer: str) -> str:
    if not entry.waiting:
        return "it has been decided on already"
    if entry.leased_by not in (None, reviewer):
        return "another reviewer has it now: your time ran out"
    return "your time for it ran out: take it again"


def _merged(shards: list[Iterator[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    heads = [(rows, row) for rows in shards if (row := next(rows, None)) is not None]
    while heads:
        place = max(range(len(heads)), key=lambda number: float(heads[number][1]["priority"]["N"]))
        rows, row = heads[place]
        yield row
        following = next(rows, None)
        if following is None:
            del heads[place]
        else:
            heads[place] = (rows, following)
