"""Erases posts from the reviewers' table, and records the erasure there."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from post_erasure.place_report import PlaceReport
from post_erasure.wanted_posts import WantedPosts

AUDIT: Final = "erasures"
"""The partition of erasure records: what, by whom, when; no text."""


class TableErasure:
    """Reads every item of the table: one of an earlier version may have another key.

    Args:
        dynamodb: boto3's client.
        table: the table's name.
        wanted: the posts to erase.
        erase: False changes nothing.
    """

    def __init__(self, dynamodb: Any, table: str, wanted: WantedPosts, *, erase: bool) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._wanted = wanted
        self._erase = erase
        self.stored_as: frozenset[str] = frozenset()
        """The keys of the found posts: an export has the decisions only by these."""

    def run(self) -> PlaceReport:
        """Return the findings: posts, and decisions on them."""
        report = PlaceReport(place=f"review table ({self._table})")
        try:
            items = self._read(report)
            for key in items:
                if self._erase:
                    self._dynamodb.delete_item(TableName=self._table, Key=key)
                    report.erased += 1
            if report.found:
                report.remains.append(
                    "backups of the table, 35 days at most: after one is restored, run this again with the same keys"
                )
        except (ClientError, BotoCoreError) as fault:
            report.failed.append(f"{self._table}: {_code(fault)}")
        return report

    def _read(self, report: PlaceReport) -> list[dict[str, Any]]:
        """The keys of all items of the wanted posts."""
        stored: set[str] = set()
        for item in self._items():
            report.searched += 1
            if item["entry"]["S"] != "post":
                continue
            post, text = item["post"]["S"], item.get("text", {}).get("S")
            if post in self._wanted.keys or (text is not None and self._wanted.has(text)):
                stored.add(post)
        self.stored_as = frozenset(stored)
        found = [key for post in sorted(self._wanted.keys | stored) for key in self._entries(post)]
        report.found = len(found)
        return found

    def _entries(self, post: str) -> Iterator[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="post = :post",
            ExpressionAttributeValues={":post": {"S": post}},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                yield {"post": item["post"], "entry": item["entry"]}

    def _items(self) -> Iterator[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        for page in pages:
            yield from page["Items"]


class ErasureAudit:
    """An item of the reviewers' table that records what was erased; written before the first deletion and after the
    last.

    It contains the keys, so that posts can be erased again after a restore. They are hashes: for a short text that can
    be guessed, they reveal that it existed.
    """

    def __init__(self, dynamodb: Any, table: str, *, by: str, wanted: WantedPosts) -> None:
        self._dynamodb = dynamodb
        self._table = table
        began = datetime.now(UTC).isoformat(timespec="seconds")
        self._item: dict[str, Any] = {
            "post": {"S": AUDIT},
            "entry": {"S": f"{began}#{secrets.token_hex(4)}"},
            "by": {"S": by},
            "keys": {"SS": sorted(wanted.keys)},
        }
        self._put({"outcome": {"S": "begun"}})

    def end(self, reports: list[PlaceReport]) -> None:
        """Record the result."""
        counts = {
            report.place: {"M": {name: {"N": str(number)} for name, number in report.counts().items()}}
            for report in reports
        }
        failed = any(report.failed for report in reports)
        self._put({"outcome": {"S": "incomplete" if failed else "complete"}, "places": {"M": counts}})

    def _put(self, more: dict[str, Any]) -> None:
        self._dynamodb.put_item(TableName=self._table, Item=self._item | more)


def _code(fault: Exception) -> str:
    return str(fault.response["Error"]["Code"]) if isinstance(fault, ClientError) else type(fault).__name__
