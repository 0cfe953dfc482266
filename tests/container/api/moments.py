"""Time in tests: waiting for what comes, and a clock that a test moves."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object]) -> None:
    """Return when it holds; fail when it does not within a minute."""
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, seconds: float = 1_795_000_000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds
