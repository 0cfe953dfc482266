"""Counts of posts by stratum, band of probability and verdict, from which precision and recall are estimated.

Items of the review table: partition key `received#2026-11-23`, the day on which the posts were received; sort key
`stored#03` for the stored posts, `reviewer#…` for a reviewer's verdicts. An estimate over weeks reads a few hundred of
these items and no posts.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from aws.attribute_values import attribute_values
from aws.clients import AWS_FAULTS
from reviews.post import ReviewPost

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

PERIOD_SECONDS: Final = 60.0
STORED: Final = "stored"
_BANDS: Final = 20
# Several items per day, so that processes rarely write to the same item at once, which makes a transaction fail.
SLOTS: Final = 16
_log = logging.getLogger("api")


def tally_key(received: str, entry: str) -> dict[str, Any]:
    """Return the key of a day's counts; `received` is when the API received the post, in ISO 8601."""
    return attribute_values({"post": f"received#{received[:10]}", "entry": entry})


def cell(*, flagged: bool, probability: float, weight: float, kind: str) -> str:
    """Return the name of a count, such as `flagged:0.975:1:stored`; `kind` is `stored` or a verdict."""
    band = min(int(probability * _BANDS), _BANDS - 1)
    return f"{'flagged' if flagged else 'sample'}:{(band + 0.5) / _BANDS:.3f}:{weight:.9g}:{kind}"


def adding(
    table: str, key: Mapping[str, Any], counts: Mapping[str, int], *, setting: Mapping[str, int] | None = None
) -> TransactWriteItemTypeDef:
    """Return the part of a transaction that adds `counts` to an item and creates the item if it does not exist.

    The numbers of `setting` replace the item's attributes of these names.
    """
    names = [(f"#c{place}", f":c{place}", name, count) for place, (name, count) in enumerate(sorted(counts.items()))]
    named = [(f"#s{place}", f":s{place}", name, number) for place, (name, number) in enumerate((setting or {}).items())]
    update = "ADD " + ", ".join(f"{name} {value}" for name, value, _, _ in names)
    if named:
        update += " SET " + ", ".join(f"{name} = {value}" for name, value, _, _ in named)
    return {
        "Update": {
            "TableName": table,
            "Key": dict(key),
            "UpdateExpression": update,
            "ExpressionAttributeNames": {name: attribute for name, _, attribute, _ in (*names, *named)},
            "ExpressionAttributeValues": attribute_values({value: number for _, value, _, number in (*names, *named)}),
        }
    }


class CountsToWrite:
    """This process's counts for items of the table, written together: one write per post would make a hot key."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._counts: dict[tuple[str, str, int | None], Counter[str]] = defaultdict(Counter)
        self._transaction: dict[str, Any] | None = None

    def add(self, post: str, entry: str, names: Iterable[str], *, expires: int | None = None) -> None:
        """Add one to each of an item's counts `names`; `expires`: when the item may be removed, in seconds since 1970.

        post, entry: the item's key.
        """
        with self._lock:
            self._counts[(post, entry, expires)].update(names)

    def write(self, client: DynamoDBClient) -> None:
        """Write the counts since the last time; raise AWS_FAULTS, and keep the counts for the next time.

        A transaction whose answer was lost is sent again with the same token, so that DynamoDB applies it once.
        """
        with self._writing:
            if self._transaction is None:
                with self._lock:
                    counts, self._counts = self._counts, defaultdict(Counter)
                if not counts:
                    return
                self._transaction = {
                    "ClientRequestToken": secrets.token_hex(16),
                    "TransactItems": [
                        adding(
                            self._table,
                            attribute_values({"post": post, "entry": entry}),
                            counted,
                            setting=None if expires is None else {"expires": expires},
                        )
                        for (post, entry, expires), counted in counts.items()
                    ],
                }
            client.transact_write_items(**self._transaction)
            self._transaction = None


class StoredTally:
    """Counts the posts that this process has stored, and writes them together from time to time."""

    def __init__(self, table: str) -> None:
        self._entry = f"stored#{secrets.randbelow(SLOTS):02}"
        self._counts = CountsToWrite(table)

    def add(self, post: ReviewPost) -> None:
        """Count a post; a post without a probability is not counted, because it says nothing about a threshold."""
        if post.probability is None:
            return
        name = cell(flagged=post.flagged, probability=post.probability, weight=post.weight, kind=STORED)
        self._counts.add(tally_key(post.received, self._entry)["post"]["S"], self._entry, [name])

    def write(self, client: DynamoDBClient) -> None:
        """Write the counts since the last time; raise AWS_FAULTS, and keep them for the next time."""
        self._counts.write(client)


def write_every_minute(write: Callable[[], None]) -> None:
    """Call `write` every minute in the background, until the process ends."""

    def run() -> None:
        wake = threading.Event()
        while True:
            wake.wait(PERIOD_SECONDS)
            write_or_log(write)

    threading.Thread(target=run, daemon=True, name="review-tally").start()


def write_or_log(write: Callable[[], None]) -> None:
    """Call `write`; log a warning if the table does not accept it."""
    try:
        write()
    except AWS_FAULTS as fault:
        _log.warning("the review table did not accept the counts", extra={"fields": {"fault": type(fault).__name__}})
