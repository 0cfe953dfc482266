"""Which posts have been decided on late already: SQS hands a message over at least once, a decision counts once."""

from __future__ import annotations

import threading
from typing import Final

from reviews.store import ReviewStore
from unscored.post import UnscoredPost

MOST_REMEMBERED: Final = 10_000


class LateDecisions:
    """Tells the first decision on a post from the next: in this process by memory, everywhere by the review table."""

    def __init__(self, store: ReviewStore | None) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._remembered: dict[tuple[str, str, int], None] = {}

    def is_first(self, post: UnscoredPost) -> bool:
        """Whether nobody asked for this post before; raise DYNAMODB_FAULTS where the table does not say."""
        # A client may give many requests one id.
        key = (post.request_id, post.received, post.place)
        with self._lock:
            if key in self._remembered:
                return False
            while len(self._remembered) >= MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = None
        try:
            return self._store is None or self._store.mark_late(*key)
        except BaseException:
            with self._lock:
                self._remembered.pop(key, None)
            raise
