"""Identifies a reviewer by the header that the load balancer signs once it has authenticated a user.

The header: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import jwt

from identity.balancer_keys import BalancerKeys, UnknownKeyError
from identity.reviewer_access import BadTokenError, NotAllowedError, ReviewerAccess

HEADER: Final = "x-amzn-oidc-data"
_KEY_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_SUBJECT: Final = re.compile(r"[\x21-\x7e]{1,128}")


class NotAReviewerError(Exception):
    """The request does not prove who sends it. The message is one line, for the sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """subject: the identity provider's permanent id of the user. name: the name that the page shows."""

    subject: str
    name: str


def region_keys_url(signer: str, region: str) -> str:
    """Return the address of load balancers' public keys in the region and partition of the load balancer `signer`."""
    match signer.split(":")[1]:
        case "aws-us-gov":
            return f"https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
        case "aws-cn":
            return f"https://public-keys.auth.elb.{region}.amazonaws.com.cn"
        case _:
            return f"https://public-keys.auth.elb.{region}.amazonaws.com"


class ReviewerIdentity:
    """Checks the header's signature, signer and expiry, and whether the user is a reviewer.

    signer: the ARN of the load balancer; a header that another load balancer signed is refused.
    keys_url: the address of its public keys; a key's id follows it.
    access: decides which of its users are reviewers.
    """

    def __init__(
        self,
        *,
        signer: str,
        keys_url: str,
        access: ReviewerAccess,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._signer = signer
        self._access = access
        self._keys = BalancerKeys(keys_url=keys_url, clock=clock)

    def of(self, header: str | None, token: str | None = None) -> Reviewer:
        """Return who sends a request with this header and this access token.

        Raise NotAReviewerError, NotAllowedError, NoKeyError or TooManyKeysError.
        """
        if not header:
            raise NotAReviewerError("sign in: the load balancer's header is missing")
        try:
            head = jwt.get_unverified_header(header)
        except (jwt.PyJWTError, ValueError, RecursionError) as fault:
            raise NotAReviewerError("sign in again: the load balancer's header cannot be read") from fault
        # Checked before the key is fetched, so that no other kind of header makes this service fetch keys.
        if head.get("alg") != "ES256" or head.get("signer") != self._signer:
            raise NotAReviewerError("sign in again: the header is not from this service's load balancer")
        key_id = head.get("kid")
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise NotAReviewerError("sign in again: the header names no key")
        try:
            key = self._keys.key(key_id)
        except UnknownKeyError as fault:
            raise NotAReviewerError("sign in again: the load balancer has no such key") from fault
        try:
            claims = jwt.decode(
                header,
                key,
                algorithms=["ES256"],
                leeway=10,
                options={"require": ["exp", "sub"], "verify_aud": False},
            )
        except jwt.ExpiredSignatureError as fault:
            raise NotAReviewerError("sign in again: your sign-in has expired") from fault
        except (jwt.PyJWTError, ValueError, RecursionError) as fault:
            raise NotAReviewerError("sign in again: the header is not signed by the load balancer") from fault
        subject = claims["sub"]
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise NotAReviewerError("sign in again: the header names no user")
        try:
            if not self._access.admits(subject, claims, token):
                raise NotAllowedError(subject)
        except BadTokenError as fault:
            raise NotAReviewerError(str(fault)) from fault
        name = claims.get("email") or claims.get("name") or claims.get("username") or subject
        return Reviewer(subject=subject, name=str(name)[:100])
