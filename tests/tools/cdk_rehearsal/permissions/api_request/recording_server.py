"""An endpoint that records what boto3 sends to it, and refuses everything."""

from __future__ import annotations

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from unittest.mock import patch
from xml.etree.ElementTree import ParseError

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from cdk_rehearsal.permissions.api_request import HttpRequest


class RecordingServer:
    """Serves on a port of its own until it is closed."""

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        recorded = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _record(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                if headers.get("transfer-encoding") == "chunked":
                    body = b"".join(self._chunks())
                else:
                    body = self.rfile.read(int(headers.get("content-length", 0)))
                path, _, query = self.path.partition("?")
                recorded.append(HttpRequest(method=self.command, path=path, query=query, headers=headers, body=body))
                self.send_response(400)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _chunks(self) -> list[bytes]:
                chunks = []
                while size := int(self.rfile.readline(), 16):
                    chunks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return chunks

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = _record

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def sent(self, service: str, method: str, parameters: dict[str, Any], *, host: str = "127.0.0.1") -> HttpRequest:
        """What a client sends for a call; with a host's name, S3's clients put the bucket into it."""
        style: Literal["path", "virtual"] = "path" if host == "127.0.0.1" else "virtual"
        client: Any = boto3.client(
            service,  # type: ignore[call-overload]
            region_name="eu-west-1",
            endpoint_url=f"http://{host}:{self._server.server_port}",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": style}),
        )
        self.requests.clear()
        # The refusal is empty, which some parsers do not take.
        refused = (ClientError, ParseError, ResponseParserError)
        with patch("socket.getaddrinfo", _everywhere_here), contextlib.suppress(*refused):
            getattr(client, method)(**parameters)
        return self.requests[0]  # S3's client looks for the bucket's region after a refusal

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _everywhere_here(host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
    """No resolver knows `bucket.localhost`."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
