"""`cdk-rehearse`: deploys a CDK app onto an embedded AWS and drives it.

Imports take a second in which a user may change their mind: here is only what ends in one line if so.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

_INTERRUPTED = 130


def main() -> None:
    """Runs the command, once it is imported."""
    signal.signal(signal.SIGINT, _end)
    from cdk_rehearsal.rehearse_command import main as rehearse

    # Not what was there before: a shell that starts a command in the background has its SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rehearse()


def _end(number: int, frame: FrameType | None) -> None:
    # Not by an exception, of which a package that is being imported may make another. Nothing is started yet.
    os.write(2, b"interrupted\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
