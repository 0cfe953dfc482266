"""Scheduled actions with `at(…)` whose time has come. Actions with `cron(…)` and `rate(…)` are stored and never run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

_AT = re.compile(r"at\((.+)\)")


def due_actions(actions: Iterable[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The due actions, earliest first."""
    timed = [(when, action) for action in actions if (when := _time(action)) is not None and when <= now]
    return [action for _, action in sorted(timed, key=lambda each: each[0])]


def _time(action: dict[str, Any]) -> datetime | None:
    found = _AT.fullmatch(action["Schedule"].strip())
    if found is None:
        return None
    return datetime.fromisoformat(found[1]).replace(tzinfo=ZoneInfo(action.get("Timezone", "UTC")))
