"""Who a reviewer is, by the header that the load balancer signs once it has authenticated somebody.

The header: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
"""

from __future__ import annotations

import re
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final, TypeVar
from urllib.error import HTTPError

import jwt

HEADER: Final = "x-amzn-oidc-data"
MOST_KEYS: Final = 16
REFUSED_KEY_SECONDS: Final = 30.0
_KEY_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_SUBJECT: Final = re.compile(r"[\x21-\x7e]{1,128}")
_LARGEST_KEY_BYTES: Final = 4096
_Value = TypeVar("_Value")


class NotAReviewerError(Exception):
    """The request does not show who sends it. The message is one line, for whoever sent it."""


class NoKeyError(Exception):
    """The load balancer's key could not be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """subject: the identity provider's own, lasting name. name: how the page calls the person."""

    subject: str
    name: str


def region_keys_url(signer: str, region: str) -> str:
    """Where the public keys of load balancers are, in the region and the partition of the load balancer `signer`."""
    match signer.split(":")[1]:
        case "aws-us-gov":
            return f"https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
        case "aws-cn":
            return f"https://public-keys.auth.elb.{region}.amazonaws.com.cn"
        case _:
            return f"https://public-keys.auth.elb.{region}.amazonaws.com"


class ReviewerIdentity:
    """Checks the header's signature, its signer and its time.

    signer: the ARN of the load balancer; another's header, though it be signed, is refused.
    keys_url: where its public keys are, below their ids.
    """

    def __init__(
        self,
        *,
        signer: str,
        keys_url: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signer = signer
        self._keys_url = keys_url.rstrip("/")
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, str] = {}
        self._refused: dict[str, float] = {}

    def of(self, header: str | None) -> Reviewer:
        """Return who sends a request with this header; raise NotAReviewerError, or NoKeyError."""
        if not header:
            raise NotAReviewerError("sign in: the load balancer names nobody")
        try:
            head = jwt.get_unverified_header(header)
        except jwt.PyJWTError as fault:
            raise NotAReviewerError("sign in again: the load balancer's header cannot be read") from fault
        # Before its key is fetched: nobody makes this service ask for keys with a header of any other kind.
        if head.get("alg") != "ES256" or head.get("signer") != self._signer:
            raise NotAReviewerError("sign in again: the header is not of this service's load balancer")
        key_id = head.get("kid")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise NotAReviewerError("sign in again: the header names no key")
        try:
            claims = jwt.decode(
                header,
                self._key(key_id),
                algorithms=["ES256"],
                leeway=10,
                options={"require": ["exp", "sub"], "verify_aud": False},
            )
        except jwt.ExpiredSignatureError as fault:
            raise NotAReviewerError("sign in again: your time ran out") from fault
        except jwt.PyJWTError as fault:
            raise NotAReviewerError("sign in again: the header is not signed by the load balancer") from fault
        subject = claims["sub"]
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise NotAReviewerError("sign in again: the header names nobody")
        name = claims.get("email") or claims.get("name") or claims.get("username") or subject
        return Reviewer(subject=subject, name=str(name)[:100])

    def _key(self, key_id: str) -> str:
        with self._lock:
            known = self._keys.get(key_id)
            if known is not None:
                return known
            if self._refused.get(key_id, 0.0) > self._clock():
                raise NotAReviewerError("sign in again: the load balancer has no such key")
        try:
            # The URL is a setting of this service, https or of this machine, and the id is letters, digits, hyphens.
            with urllib.request.urlopen(f"{self._keys_url}/{key_id}", timeout=3) as answer:
                key: str = answer.read(_LARGEST_KEY_BYTES).decode("ascii")
        except (OSError, HTTPException, UnicodeDecodeError) as fault:
            if isinstance(fault, HTTPError) and fault.code in (403, 404):
                self._remember(self._refused, key_id, self._clock() + REFUSED_KEY_SECONDS)
                raise NotAReviewerError("sign in again: the load balancer has no such key") from fault
            raise NoKeyError from fault
        self._remember(self._keys, key_id, key)
        return key

    def _remember(self, memory: dict[str, _Value], key_id: str, value: _Value) -> None:
        with self._lock:
            while len(memory) >= MOST_KEYS:
                del memory[next(iter(memory))]
            memory[key_id] = value
