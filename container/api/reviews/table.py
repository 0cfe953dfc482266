"""Keys, names and expressions of the review table.

Items (partition key `post`, sort key `entry`):
- a post: the SHA-256 of its normalised text, `post`. While it waits for a reviewer it has `queue` beside `priority`,
  and is in the index by these: the most probable one that waits is the first of one query. While it waits for a second
  opinion it is in a queue of its own. A decided one has `verdict`, and `label` where it makes training data.
- a decision: the same key, `decision#000001` and so on. None is ever changed.
- how many decisions a reviewer makes in a minute: see pace.
- a day's work of a reviewer: `day#2026-11-23`, `reviewer#…`, with counters, see burden for those of time and exposure,
  and with when the latest decision was made, `latest` in milliseconds since 1970.
- counts for estimates: `received#2026-11-23`, see tally.
- counts of what was served: `served#2026-11-23`, see served_tally.
- the posts stored on a day: `quota#2026-11-23`, see quota.
- a post that was decided on after its request had been answered: `late#…` with the request's id, for some weeks.
"""

from __future__ import annotations

import re
from typing import Any, Final

from botocore.exceptions import ClientError

from aws.attribute_values import attribute_values

INDEX: Final = "queue"
POST_ENTRY: Final = "post"
FREE: Final = "(attribute_not_exists(#lease_until) OR #lease_until < :now)"
"""Nobody holds the post."""
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
    """Return which of the queue's parts a post waits in."""
    return int(post[:8], 16) % shards


def waiting_queue(shard: int) -> str:
    """Return the queue of posts that nobody has judged."""
    return f"waiting#{shard}"


def second_queue(shard: int) -> str:
    """Return the queue of posts that wait for a second opinion."""
    return f"second#{shard}"


def attribute_names(*expressions: str) -> dict[str, str]:
    """Return what the names in expressions stand for: `#label` for `label`."""
    return {f"#{name}": name for expression in expressions for name in _NAME.findall(expression)}


def error_code(fault: ClientError) -> str:
    """Return the code of DynamoDB's error."""
    return str(fault.response["Error"]["Code"])
