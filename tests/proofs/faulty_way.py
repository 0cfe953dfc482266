"""A way to an AWS service on which a test puts faults: slow, throttled, closed or hanging."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[bytes], tuple[int, dict[str, str], bytes]]
"""Takes a request's body, returns status, headers and body."""

# As long as nobody waits: each client's own time-out is shorter.
_LONGEST_HANG_SECONDS = 120.0
_THROTTLED = json.dumps({"__type": "ThrottlingException", "message": "slow down"}).encode()
_NOT_FORWARDED = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


class FaultyWay:
    """Serves on loopback what `answer` answers, or the server on `port`; with a fault while one is set."""

    def __init__(self, *, port: int | None = None, answer: Answer | None = None) -> None:
        self.slow_seconds = 0.0
        self._fault = ""
        self._healed = threading.Event()
        self._port = port
        self._answer = answer
        way = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                self.upstream: http.client.HTTPConnection | None = None

            def do_POST(self) -> None:
                way._serve(self)

            def finish(self) -> None:
                if self.upstream is not None:
                    self.upstream.close()
                with suppress(OSError):
                    super().finish()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def break_as(self, fault: str) -> None:
        """`slow 400 ms`, `throttled`, `closed` or `hanging`."""
        if fault.startswith("slow"):
            self.slow_seconds = int(fault.split()[1]) / 1000
            return
        self._healed.clear()
        self._fault = fault

    def heal(self) -> None:
        """Serve as before; what hangs is never answered."""
        self.slow_seconds = 0.0
        self._fault = ""
        self._healed.set()

    def close(self) -> None:
        self.heal()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: Any) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        fault = self._fault
        if fault == "hanging":
            self._healed.wait(_LONGEST_HANG_SECONDS)
        if fault in ("hanging", "closed"):
            handler.close_connection = True
            with suppress(OSError):
                handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == "throttled":
            status, headers, answer = 429, {"X-Amzn-ErrorType": "ThrottlingException"}, _THROTTLED
        else:
            time.sleep(self.slow_seconds)
            status, headers, answer = self._answer(body) if self._answer else self._forward(handler, body)
        with suppress(OSError):
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(answer)))
            handler.end_headers()
            handler.wfile.write(answer)

    def _forward(self, handler: Any, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if handler.upstream is None:
            handler.upstream = http.client.HTTPConnection("localhost", self._port, timeout=60)
        sent = {name: value for name, value in handler.headers.items() if name.lower() not in _NOT_FORWARDED}
        handler.upstream.request("POST", handler.path, body, sent)
        response = handler.upstream.getresponse()
        answer = response.read()
        kept = {name: value for name, value in response.getheaders() if name.lower() not in _NOT_FORWARDED}
        return response.status, kept, answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *arguments: object) -> None:
        pass  # its clients are killed on purpose
