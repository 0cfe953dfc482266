"""A post that the endpoint could not score in time, as it waits on the queue."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class UnscoredPost:
    """What is needed to decide on a post later, and to tell which it was.

    request_id, place: the request that brought it, and its place among that request's texts, from 0.
    received: when, in ISO 8601 with its offset from UTC.
    reason: why it was not scored then.
    """

    request_id: str
    place: int
    received: str
    reason: str
    text: str

    def __post_init__(self) -> None:
        for name, kind in (("request_id", str), ("place", int), ("received", str), ("reason", str), ("text", str)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} must be of type {kind.__name__}")
        if datetime.fromisoformat(self.received).tzinfo is None:
            raise ValueError("received must have an offset from UTC")

    def message(self) -> str:
        """Return the post as a message; in ASCII, as SQS refuses some characters that a post may hold."""
        return json.dumps({"version": 1, **asdict(self)})

    @classmethod
    def from_message(cls, message: str) -> Self:
        """Read a message; ValueError, which quotes nothing of it, where it is none of these."""
        try:
            content = json.loads(message)
        except (ValueError, RecursionError) as fault:
            raise ValueError("not JSON") from fault
        if not isinstance(content, dict) or content.pop("version", None) != 1:
            raise ValueError("not of version 1")
        try:
            return cls(**content)
        except TypeError as fault:
            raise ValueError("not the fields of version 1") from fault
