"""Says once a minute how many posts wait for a reviewer, as a metric."""

from __future__ import annotations

import logging
import threading
from typing import Final

from dynamodb_client import DYNAMODB_FAULTS
from embedded_metrics import count_line
from review_store import ReviewStore

PERIOD_SECONDS: Final = 60.0
_log = logging.getLogger("api")


def start_review_gauge(store: ReviewStore, *, service: str) -> None:
    """Count in the background; every process does, and the metric's maximum is the number that waits."""

    def run() -> None:
        wake = threading.Event()
        while True:
            try:
                line = count_line("ReviewWaiting", store.waiting_count(), service=service)
            except DYNAMODB_FAULTS as fault:
                _log.warning("the review table does not answer", extra={"fields": {"fault": type(fault).__name__}})
            else:
                _log.info("metrics", extra={"fields": line})
            wake.wait(PERIOD_SECONDS)

    threading.Thread(target=run, daemon=True, name="review-gauge").start()
