"""A free port for a program to listen on."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Free on loopback a moment ago: the caller has to expect that another program was quicker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
