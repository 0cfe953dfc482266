"""A local server that stands for GitHub's or GitLab's API, and for the store to which it leads for an artifact."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlparse

STORE = "/store/archive.zip"


class StandIn(Protocol):
    """What an API answers, and what it was asked: method, path and token of each call."""

    address: str
    files: dict[str, bytes]
    calls: list[tuple[str, str, str | None]]

    def answer(self, method: str, path: str, query: dict[str, list[str]], content: bytes) -> tuple[int, Any]: ...


def archive(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return written.getvalue()


@contextmanager
def served(state: StandIn, *, token: str, artifact: str) -> Iterator[None]:
    """Serves a stand-in.

    Args:
        state: takes the server's address.
        token: the header that has it.
        artifact: the path that leads to the store.
    """

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlparse(self.path)
            state.calls.append((self.command, url.path, self.headers.get(token)))
            if url.path == artifact:
                self.send_response(302)
                self.send_header("Location", f"{state.address}{STORE}")
                self.end_headers()
                return
            if url.path == STORE:
                status, body = 200, archive(state.files)
            else:
                status, answered = state.answer(self.command, url.path, parse_qs(url.query), content)
                body = json.dumps(answered).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_PUT = handle_any

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
