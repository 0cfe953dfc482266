"""Decides which of the identity provider's users are reviewers: by a list, a claim, or a group of a user pool.

The load balancer signs the claims of the provider's user-info endpoint. A Cognito user pool lists groups only in its
access token, which the load balancer passes on without its own signature; this module checks the pool's signature.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import jwt

from identity.balancer_keys import BalancerKeys, UnknownKeyError, content_of

TOKEN_HEADER: Final = "x-amzn-oidc-accesstoken"  # noqa: S105 (a header's name)
_LARGEST_KEYS_BYTES: Final = 65_536


class NotAllowedError(Exception):
    """A user is signed in but is not a reviewer. The message is one line, for that user."""

    def __init__(self, subject: str) -> None:
        super().__init__("you are signed in, but you are not a reviewer of this service: ask its operator")
        self.subject = subject


class BadTokenError(Exception):
    """The access token does not prove the user's groups. The message is one line, for the user."""


class ReviewerAccess(Protocol):
    """Decides whether a user is a reviewer."""

    def admits(self, subject: str, claims: Mapping[str, Any], token: str | None) -> bool:
        """Return whether a user with these signed claims and this access token is one; may raise BadTokenError."""
        ...


class Everybody:
    """Admits every user of the provider."""

    def admits(self, subject: str, claims: Mapping[str, Any], token: str | None) -> bool:
        return True


class ListedSubjects:
    """Admits the users on a list."""

    def __init__(self, subjects: frozenset[str]) -> None:
        self._subjects = subjects

    def admits(self, subject: str, claims: Mapping[str, Any], token: str | None) -> bool:
        return subject in self._subjects


class RequiredClaim:
    """Admits users whose claim has this value, or holds it in a list: `groups` of `["a", "moderators"]`."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def admits(self, subject: str, claims: Mapping[str, Any], token: str | None) -> bool:
        held = claims.get(self._name)
        # A boolean claim is compared as JSON writes it: `true`.
        return any(
            (one if isinstance(one, str) else json.dumps(one)) == self._value
            for one in (held if isinstance(held, list) else [held])
            if one is not None
        )


class PoolGroup:
    """Admits the users in a group of a Cognito user pool, by the access token that the pool has signed.

    issuer: the pool's address, which its tokens name, and below which it publishes its keys.
    client_id: the load balancer's client id at the pool; a token for another client is refused.
    """

    def __init__(self, *, group: str, issuer: str, client_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._group = group
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._keys = _PoolKeys(keys_url=f"{self._issuer}/.well-known/jwks.json", clock=clock)

    def admits(self, subject: str, claims: Mapping[str, Any], token: str | None) -> bool:
        if not token:
            raise BadTokenError("sign in again: the load balancer sent no access token")
        try:
            head = jwt.get_unverified_header(token)
            key_id = head.get("kid")
            if head.get("alg") != "RS256" or not isinstance(key_id, str) or not 0 < len(key_id) <= 128:
                raise BadTokenError("sign in again: the access token is not from the user pool")
            key = jwt.PyJWK(json.loads(self._keys.key(key_id)), algorithm="RS256")
            told = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self._issuer,
                leeway=10,
                options={"require": ["exp", "sub", "iss"], "verify_aud": False},
            )
        except UnknownKeyError as fault:
            raise BadTokenError("sign in again: the user pool has no such key") from fault
        except jwt.ExpiredSignatureError as fault:
            raise BadTokenError("sign in again: your sign-in has expired") from fault
        except (jwt.PyJWTError, ValueError, RecursionError) as fault:
            raise BadTokenError("sign in again: the access token is not from the user pool") from fault
        if (told.get("token_use"), told.get("client_id"), told["sub"]) != ("access", self._client_id, subject):
            raise BadTokenError("sign in again: the access token is for another user or another client")
        groups = told.get("cognito:groups")
        return isinstance(groups, list) and self._group in groups


class _PoolKeys(BalancerKeys):
    """A pool publishes all its keys in one document."""

    def _read(self, key_id: str) -> str:
        document = json.loads(content_of(self._keys_url, largest=_LARGEST_KEYS_BYTES))
        for key in document.get("keys", []) if isinstance(document, dict) else []:
            if isinstance(key, dict) and key.get("kid") == key_id:
                return json.dumps(key)
        raise UnknownKeyError
