"""Writes each log record as one line of JSON to standard output, from where ECS sends it to CloudWatch Logs."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any, Final


class JsonFormatter(logging.Formatter):
    """Writes time, level, logger and message, and the record's `fields`.

    For an exception it writes the type and the place only: the exception's message may quote a post.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and (error := record.exc_info[1]):
            line["traceback"] = _traceback(error)
        return json.dumps(line)


def _traceback(error: BaseException) -> str:
    """Return the tracebacks of an exception and its causes, the first cause first, as Python prints them."""
    parts: list[str] = []
    at: BaseException | None = error
    while at is not None and len(parts) < 10:
        parts.insert(0, "".join([*traceback.format_tb(at.__traceback__), type(at).__qualname__]))
        at = at.__cause__ or at.__context__
    return "\n".join(parts)


LOGGING: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "observability.json_log.JsonFormatter"}},
    "handlers": {
        "standard_output": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}
    },
    "root": {"level": "WARNING", "handlers": ["standard_output"]},
    "loggers": {
        "api": {"level": "INFO", "handlers": ["standard_output"], "propagate": False},
        "gunicorn.error": {"level": "INFO", "handlers": ["standard_output"], "propagate": False},
        "gunicorn.access": {"level": "WARNING", "handlers": ["standard_output"], "propagate": False},
    },
}
