"""Reads one HTTP answer from a connection.

Most answers of the runtime arrive complete in one piece, with a Content-Length. This module parses those itself, in a
fraction of the time that http.client takes for its headers. It hands any other answer to http.client, from its first
byte.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_READ_AT_ONCE: Final = 16_384
_FINE: Final = b"HTTP/1.1 200 "
_HEADER: Final = re.compile(r"([A-Za-z0-9-]+):[ \t]*([^\r\n]*)")
_LENGTH: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """headers: by their names in lower case. reusable: whether another request can use the connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    reusable: bool


def read_answer(connection: socket.socket, *, longest: int) -> HttpAnswer:
    """Return the answer to a request that was sent; a body longer than `longest` bytes is cut to one byte more.

    Raise OSError, or http.client's HTTPException if the answer is not HTTP or is shorter than its Content-Length.
    """
    received = connection.recv(_READ_AT_ONCE)
    return _whole(received, longest) or _read_by_http_client(connection, received, longest)


def _whole(received: bytes, longest: int) -> HttpAnswer | None:
    head, end, body = received.partition(b"\r\n\r\n")
    if not end or not head.startswith(_FINE):
        return None
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        header = _HEADER.fullmatch(line)
        if header is None or header[1].lower() in headers:
            return None
        headers[header[1].lower()] = header[2].rstrip(" \t")
    length = headers.get("content-length", "")
    if (
        "transfer-encoding" in headers
        or not _LENGTH.fullmatch(length)
        or len(body) != int(length)
        or len(body) > longest
    ):
        return None
    return HttpAnswer(
        status=200, headers=headers, body=body, reusable=headers.get("connection", "keep-alive").lower() == "keep-alive"
    )


def _read_by_http_client(connection: socket.socket, received: bytes, longest: int) -> HttpAnswer:
    response = http.client.HTTPResponse(_Replayed(connection, received), method="POST")  # type: ignore[arg-type]
    response.begin()
    body = response.read(longest + 1)
    if response.length and len(body) <= longest:
        raise http.client.IncompleteRead(body, response.length)
    return HttpAnswer(
        status=response.status,
        headers={name.lower(): value for name, value in reversed(response.headers.items())},
        body=body,
        reusable=response.isclosed() and not response.will_close,
    )


class _Replayed(io.RawIOBase):
    """A connection whose first bytes have already been received."""

    def __init__(self, connection: socket.socket, received: bytes) -> None:
        self._connection = connection
        self._received = received

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)  # a view of bytes, as a buffered reader uses it
        if not self._received:
            return self._connection.recv_into(view)
        count = min(len(view), len(self._received))
        view[:count], self._received = self._received[:count], self._received[count:]
        return count
