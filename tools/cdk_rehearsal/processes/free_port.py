"""A free port for a program to listen on."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port that is free on loopback now. Another program may take it first, which the caller must handle."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
