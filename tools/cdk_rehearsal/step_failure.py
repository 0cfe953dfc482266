"""Why a rehearsal cannot go on."""

from __future__ import annotations

from pathlib import Path


class StepError(Exception):
    """The message is for the user: what failed and why. `log` is the file with the details."""

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


class InvalidInputError(Exception):
    """The user's input is invalid; the message is one line: what is wrong and what is allowed."""
