"""`cdk-rehearse`: deploys a CDK app to an embedded AWS and runs the project's story on it.

The imports take a second. This module imports almost nothing, so that Ctrl-C during them ends with one line.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

_INTERRUPTED = 130


def main() -> None:
    """Imports the command and runs it."""
    signal.signal(signal.SIGINT, _end)
    from cdk_rehearsal.rehearse_command import main as rehearse

    # The previous handler is not used: a shell that starts a command in the background makes it ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rehearse()


def _end(number: int, frame: FrameType | None) -> None:
    # Exits without an exception: a package that is being imported may turn it into another. Nothing is started yet.
    os.write(2, b"interrupted\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
