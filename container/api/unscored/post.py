"""A post in the queue, which waits to be scored, or, if it has a score, to be stored for reviewers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Self

STORING_ALONE: Final = "review"
"""The reason of a post that was scored and answered in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnscoredPost:
    """The values that identify a post, and that a later decision needs.

    request_id, place: the id of its request, and its place among that request's texts, from 0.
    received: when the API received it, in ISO 8601 with its offset from UTC.
    reason: why it has no score; STORING_ALONE if it has one and only has to be stored for reviewers.
    probability, model: the endpoint's answer, if the post has a score.
    """

    request_id: str
    place: int
    received: str
    reason: str
    text: str
    probability: float | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        for name, kind in (("request_id", str), ("place", int), ("received", str), ("reason", str), ("text", str)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} must be of type {kind.__name__}")
        try:
            self.text.encode()
        except UnicodeEncodeError:
            raise ValueError("text contains half of a surrogate pair") from None
        if datetime.fromisoformat(self.received).tzinfo is None:
            raise ValueError("received must have an offset from UTC")
        if self.probability is not None and not (isinstance(self.probability, float) and 0 <= self.probability <= 1):
            raise ValueError("probability must be a number from 0 to 1")
        if self.model is not None and not isinstance(self.model, str):
            raise ValueError("model must be of type str")

    def message(self) -> str:
        """Return the post as a message in ASCII, because SQS refuses some characters that a post may contain."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        # Older releases of the service, which would score the post again, leave version 2 in the queue.
        return json.dumps({"version": 1 if self.probability is None else 2, **fields})

    @classmethod
    def from_message(cls, message: str) -> Self:
        """Read a message; raise ValueError, which quotes nothing of the message, if it is invalid."""
        try:
            content = json.loads(message)
        except (ValueError, RecursionError) as fault:
            raise ValueError("not JSON") from fault
        if not isinstance(content, dict) or content.pop("version", None) not in (1, 2):
            raise ValueError("not of version 1 or 2")
        try:
            return cls(**content)
        except TypeError as fault:
            raise ValueError("not the fields of its version") from fault
