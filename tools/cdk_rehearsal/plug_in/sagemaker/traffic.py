"""Chooses the fleet for each request while traffic shifts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from cdk_rehearsal.plug_in.sagemaker.serving_fleet import ServingFleet
from cdk_rehearsal.plug_in.sagemaker.share import Share


class Traffic:
    """A fleet without traffic gets no new requests; its running ones are counted until they end."""

    def __init__(self, fleet: ServingFleet) -> None:
        self._fleet = fleet
        self._next: ServingFleet | None = None
        self._share = Share(0)
        self._lock = threading.Lock()

    @property
    def fleet(self) -> ServingFleet:
        """The serving fleet; during a shift the old one."""
        return self._fleet

    @contextlib.contextmanager
    def route(self) -> Iterator[ServingFleet]:
        # Otherwise a fleet could be chosen, still look idle, and be stopped.
        with self._lock:
            fleet = self._next if self._next is not None and self._share.take() else self._fleet
            fleet.enter()
        try:
            yield fleet
        finally:
            fleet.leave()

    def shift(self, fleet: ServingFleet, part: float) -> None:
        """From now on this share of the requests, 0 to 1, goes to the fleet."""
        with self._lock:
            self._next, self._share = fleet, Share(part)

    def settle(self, fleet: ServingFleet) -> None:
        """From now on every request goes to the fleet."""
        with self._lock:
            self._fleet, self._next = fleet, None
