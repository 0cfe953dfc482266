"""An HTTP request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request as received."""

    method: str
    path: str  # percent-encoded, without the query string
    query: str  # the raw query string, without "?"
    headers: Mapping[str, str]  # names in lower case
    body: bytes
