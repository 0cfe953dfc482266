"""A registry for images on this machine, which Docker pushes to over HTTP: it keeps manifests and forgets layers."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Registry:
    """Takes whatever is pushed, by the distribution specification's upload in chunks."""

    port: int = 0
    media_types: list[str] = field(default_factory=list)
    """Of each manifest that came, in order."""

    @property
    def address(self) -> str:
        """Docker allows HTTP to it, since it is this machine's own."""
        return f"127.0.0.1:{self.port}"


@contextmanager
def registry() -> Iterator[Registry]:
    """One that runs for the length of a `with` block."""
    kept = Registry()
    blobs: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Docker with containerd's image store tries TLS first; it comes back over HTTP if the answer to that is HTTP's.
        default_request_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def answer(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def do_GET(self) -> None:
            self.answer(200 if self.path == "/v2/" else 404)

        def do_HEAD(self) -> None:
            self.answer(200 if self.path.rpartition("/")[2] in blobs else 404)

        def do_POST(self) -> None:
            self.body()
            self.answer(202, Location=f"{self.path}1", Docker_Upload_UUID="1")

        def do_PATCH(self) -> None:
            self.answer(202, Location=self.path, Range=f"0-{len(self.body()) - 1}")

        def do_PUT(self) -> None:
            body = self.body()
            if "/manifests/" in self.path:
                kept.media_types.append(self.headers["Content-Type"])
                digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            else:
                digest = self.path.partition("digest=")[2].replace("%3A", ":")
            blobs.add(digest)
            self.answer(201, Location=self.path, Docker_Content_Digest=digest)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
