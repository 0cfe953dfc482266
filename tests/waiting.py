"""Waiting for what another process does, and for no longer than it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def until(
    question: Callable[[], Answer], *, seconds: float = 60.0, longest_pause: float = 0.05, otherwise: str = ""
) -> Answer:
    """Asks until the answer is true, and returns it; fails after `seconds`.

    Args:
        question: asked again after a pause, which is short at first.
        seconds: so long a slow machine may take.
        longest_pause: in seconds; longer where a question costs the other side much.
        otherwise: what is wrong where the answer never is true.
    """
    deadline, pause = time.monotonic() + seconds, 0.02
    while not (answer := question()):
        assert time.monotonic() < deadline, otherwise or f"still {answer!r} after {seconds:.0f} s"
        time.sleep(min(pause, longest_pause))
        pause *= 1.5
    return answer
