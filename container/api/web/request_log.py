"""What every request gets: an id, standard response headers, a line in the log, and metrics."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import Final

from flask import Flask, Response, g, request
from werkzeug.exceptions import NotFound

from endpoint.circuit_breaker import BreakerState, CircuitBreaker
from observability.embedded_metrics import metric_line
from web.reading_worker import seconds_in_queue, seconds_reading

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9=:;._-]{1,128}")
_HSTS: Final = "max-age=31536000"
"""A year. Without subdomains, which may belong to another team."""
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_log = logging.getLogger("api")


def log_requests(app: Flask, *, service: str, breaker: CircuitBreaker) -> None:
    """Give each request of `app` its `g`: `request_id`, `started`, `reading`; a route sets `fields` and `decisions`."""

    @app.before_request
    def start() -> None:
        g.queued = seconds_in_queue()
        g.reading = seconds_reading()
        g.arrived = time.monotonic() - g.queued
        # The time for reading the request counts towards the deadline.
        g.started = g.arrived - g.reading
        g.fields = {}
        g.decisions = None
        given = request.headers.get("X-Request-Id") or request.headers.get("X-Amzn-Trace-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        # A path rule in front of this service sees the raw path: `/%72eview` and `//review` must not reach `/review`.
        if not _PATH.fullmatch(request.environ.get("RAW_URI", request.path).partition("?")[0]):
            raise NotFound

    @app.after_request
    def log(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        # The load balancer sets this header to the client's protocol, and replaces a value that the client sent.
        if request.headers.get("X-Forwarded-Proto") == "https":
            response.headers["Strict-Transport-Security"] = _HSTS
        # Without the time for reading, because a slow client says nothing about this service.
        milliseconds = (time.monotonic() - g.arrived) * 1000
        fields = {
            "request_id": g.request_id,
            "method": request.method if request.url_rule else None,
            # The URL rule and not the path, which may contain anything, even a post.
            "path": request.url_rule.rule if request.url_rule else None,
            "status": response.status_code,
            "ms": round(milliseconds, 1),
            "queue_ms": round(g.queued * 1000, 1),
            "read_ms": round(g.reading * 1000, 1),
            **g.fields,
        }
        decisions = g.decisions
        breaker_closed = breaker.state is BreakerState.CLOSED

        def write() -> None:
            _log.info("request", extra={"fields": fields})
            if decisions is not None:
                line = metric_line(
                    decisions,
                    service=service,
                    milliseconds=milliseconds,
                    breaker_closed=breaker_closed,
                )
                _log.info("metrics", extra={"fields": line})

        # Written after the answer has been sent, so that the client does not wait for the log.
        response.call_on_close(write)
        return response
