"""Recognises when the bytes received over a connection contain one complete request, without waiting for more."""

from __future__ import annotations

import re
from typing import Final

LARGEST_HEAD_BYTES: Final = 32_768
MOST_CHUNKS: Final = 10_000
_LONGEST_CHUNK_LINE: Final = 256
_LARGEST_TRAILERS: Final = 8192
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
_END: Final = b"\r\n\r\n"


class MalformedRequestError(Exception):
    """The bytes are not a valid request. The message is one line, for the sender."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RequestIntake:
    """The bytes of one request, as they arrive.

    received: all its bytes, and the bytes of the next request that arrived with them.
    largest_body: the limit in bytes; the rest of a larger body is not waited for, because it is refused anyway.
    """

    def __init__(self, *, largest_body: int) -> None:
        self.received = bytearray()
        self._largest_body = largest_body
        self._searched = 0
        self._body_at: int | None = None
        self._length = 0
        self._chunked = False
        self._at = 0
        self._chunk_left: int | None = None
        self._chunks = 0
        self._decoded = 0
        self._in_trailers = False
        self.end: int | None = None
        """The position where the request ends, None while it is incomplete."""
        self.cut_off = False
        """Whether its body is too large; then it ends where `received` ends, and the connection cannot be reused."""
        self.wants_continue = False
        """Whether the client waits for `100 Continue` before it sends the body."""

    def feed(self, data: bytes) -> bool:
        """Add bytes; return whether the request is complete. Raises MalformedRequestError."""
        self.received += data
        if self._body_at is None and not self._find_head():
            return False
        return self._scan_chunks() if self._chunked else self._scan_length()

    def _find_head(self) -> bool:
        # Empty lines before a request are to be ignored (RFC 9112, 2.2).
        while self.received.startswith(b"\r\n"):
            del self.received[:2]
        end = self.received.find(_END, max(0, self._searched - 3))
        self._searched = len(self.received)
        if (end if end >= 0 else self._searched) > LARGEST_HEAD_BYTES:
            raise MalformedRequestError(
                431, f"the headers are too large: at most {LARGEST_HEAD_BYTES} bytes are allowed"
            )
        if end < 0:
            return False
        self._body_at = self._at = end + len(_END)
        lengths, codings = [], []
        for line in bytes(self.received[:end]).split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            value = value.strip(b" \t")
            match name.lower():
                case b"content-length":
                    lengths.append(value)
                case b"transfer-encoding":
                    codings.append(value.lower())
                case b"expect" if value.lower() == b"100-continue":
                    self.wants_continue = True
        if len(lengths) + len(codings) > 1:
            raise MalformedRequestError(400, "the request states the length of its body more than once")
        if codings:
            if codings != [b"chunked"]:
                raise MalformedRequestError(400, "the transfer encoding must be chunked")
            self._chunked = True
        elif lengths:
            if not _LENGTH.fullmatch(lengths[0]):
                raise MalformedRequestError(400, "the content length must be a whole number")
            self._length = int(lengths[0])
        return True

    def _scan_length(self) -> bool:
        assert self._body_at is not None
        if self._length > self._largest_body:
            return self._cut()
        if len(self.received) - self._body_at < self._length:
            return False
        self.end = self._body_at + self._length
        return True

    def _scan_chunks(self) -> bool:
        received = self.received
        while True:
            if self._in_trailers:
                return self._scan_trailers()
            if self._chunk_left is not None:
                after = self._at + self._chunk_left
                if len(received) < after + 2:
                    # The bytes received so far count: the rest of a chunk that is too large is not waited for.
                    if self._decoded > self._largest_body and len(received) - self._at > self._largest_body:
                        return self._cut()
                    return False
                if received[after : after + 2] != b"\r\n":
                    raise MalformedRequestError(400, "the body's chunks are malformed")
                self._at, self._chunk_left = after + 2, None
                if self._decoded > self._largest_body:
                    return self._cut()
            end = received.find(b"\r\n", self._at, self._at + _LONGEST_CHUNK_LINE)
            if end < 0:
                if len(received) - self._at >= _LONGEST_CHUNK_LINE:
                    raise MalformedRequestError(400, "the body's chunks are malformed")
                return False
            size = _CHUNK_SIZE.fullmatch(received, self._at, end)
            self._chunks += 1
            if size is None or self._chunks > MOST_CHUNKS:
                raise MalformedRequestError(400, "the body's chunks are malformed")
            self._at = end + 2
            self._chunk_left = int(size[1], 16)
            self._decoded += self._chunk_left
            if self._chunk_left == 0:
                self._in_trailers = True

    def _scan_trailers(self) -> bool:
        if self.received.startswith(b"\r\n", self._at):
            self.end = self._at + 2
            return True
        end = self.received.find(_END, self._at, self._at + _LARGEST_TRAILERS)
        if end < 0:
            if len(self.received) - self._at >= _LARGEST_TRAILERS:
                raise MalformedRequestError(400, "the body's chunks are malformed")
            return False
        self.end = end + len(_END)
        return True

    def _cut(self) -> bool:
        self.cut_off = True
        self.end = len(self.received)
        return True
