"""Records which alarms went into ALARM, however briefly.

An alarm is evaluated again with every data point of any metric. A state that a test set by SetAlarmState is therefore
replaced before a poll can see it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import cloudwatch

_watches: list[tuple[frozenset[str], set[str]]] = []
_lock = threading.Lock()


def install() -> None:
    cloudwatch.record_history = _noticing(cloudwatch.record_history)


@contextlib.contextmanager
def watched_alarms(names: Iterable[str]) -> Iterator[set[str]]:
    """The set of the named alarms that have gone into ALARM since the block began; it grows until the block ends."""
    watch: tuple[frozenset[str], set[str]] = (frozenset(names), set())
    with _lock:
        _watches.append(watch)
    try:
        yield watch[1]
    finally:
        with _lock:
            _watches.remove(watch)


def _noticing(record_history: Callable[..., Any]) -> Callable[..., Any]:
    def record(name: str, old_state: str, new_state: str, *more: Any, **named: Any) -> None:
        if new_state == "ALARM":
            with _lock:
                for names, raised in _watches:
                    if name in names:
                        raised.add(name)
        record_history(name, old_state, new_state, *more, **named)

    return record
