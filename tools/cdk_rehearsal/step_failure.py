"""Why a rehearsal cannot go on."""

from __future__ import annotations

from pathlib import Path


class StepError(Exception):
    """The message is for the user: what failed and why. `log` is the file that says more."""

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


class InvalidInputError(Exception):
    """What the user gave cannot be used; the message is one line that says what is wrong and what is allowed."""
