"""The keys, attribute names and expressions of the review table.

Items (partition key `post`, sort key `entry`):
- a post: the SHA-256 of its normalised text, `post`. While it waits for a reviewer it has `queue` and `priority`, the
  keys of the index: one query returns the waiting posts, the most probable first. While it waits for a second opinion
  it is in a separate queue. A post with a decision has `verdict`, and `label` if it becomes training data.
- a decision: the same key, `decision#000001` and so on. Decisions never change.
- the number of a reviewer's decisions per minute: see pace.
- a reviewer's work on a day: `day#2026-11-23`, `reviewer#…`, with counters (see burden for time and exposure) and the
  time of the latest decision, `latest` in milliseconds since 1970.
- the counts for estimates: `received#2026-11-23`, see tally.
- the counts of served posts: `served#2026-11-23`, see served_tally.
- the number of posts stored on a day: `quota#2026-11-23`, see quota.
- a post that was decided after its request had been answered: `late#…` with the request's id, for some weeks.
"""

from __future__ import annotations

import re
from typing import Any, Final

from botocore.exceptions import ClientError

from aws.attribute_values import attribute_values

INDEX: Final = "queue"
POST_ENTRY: Final = "post"
FREE: Final = "(attribute_not_exists(#lease_until) OR #lease_until < :now)"
"""No reviewer holds the post."""
FREE_OR_MINE: Final = "(attribute_not_exists(#lease_until) OR #lease_until < :now OR #leased_by = :me)"
NOT_MINE_BEFORE: Final = "(attribute_not_exists(#first_reviewer) OR #first_reviewer <> :me)"
_NAME: Final = re.compile(r"#(\w+)")


def item_key(post: str) -> dict[str, Any]:
    """Return the key of a post's item."""
    return attribute_values({"post": post, "entry": POST_ENTRY})


def day_key(reviewer: str, date: str) -> dict[str, Any]:
    """Return the key of a reviewer's work on a day of UTC."""
    return attribute_values({"post": f"day#{date}", "entry": f"reviewer#{reviewer}"})


def shard_of(post: str, shards: int) -> int:
    """Return the number of the queue's shard in which a post waits."""
    return int(post[:8], 16) % shards


def waiting_queue(shard: int) -> str:
    """Return the name of a shard's queue of posts without a verdict."""
    return f"waiting#{shard}"


def second_queue(shard: int) -> str:
    """Return the name of a shard's queue of posts that wait for a second opinion."""
    return f"second#{shard}"


def attribute_names(*expressions: str) -> dict[str, str]:
    """Return the attribute names of the placeholders in expressions: `label` for `#label`."""
    return {f"#{name}": name for expression in expressions for name in _NAME.findall(expression)}


def error_code(fault: ClientError) -> str:
    """Return DynamoDB's error code."""
    return str(fault.response["Error"]["Code"])
