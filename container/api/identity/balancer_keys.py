"""The public keys of load balancers, fetched by their ids and cached."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final, TypeVar
from urllib.error import HTTPError

MOST_KEYS: Final = 16
FRESH_SECONDS: Final = 3600.0
"""After this time a key is fetched again in the background, so that a withdrawn key is not trusted indefinitely."""
KEPT_SECONDS: Final = 24 * 3600.0
"""For this time a key is used if it cannot be fetched again."""
UNKNOWN_SECONDS: Final = 30.0
MOST_UNKNOWN: Final = 256
FETCHES_AT_ONCE: Final = 2
MOST_WAITING: Final = 4
"""The most threads that wait for keys at once, fetching ones included; the others serve users with a known key."""
REST_SECONDS: Final = 5.0
"""For this time after a failed fetch no request waits for another fetch."""
FETCH_SECONDS: Final = 1.0
_LARGEST_KEY_BYTES: Final = 4096
_Value = TypeVar("_Value")


class UnknownKeyError(Exception):
    """There is no such key."""


class NoKeyError(Exception):
    """The key could not be fetched."""


class TooManyKeysError(Exception):
    """The most fetches of keys allowed are already under way."""


@dataclass(frozen=True, slots=True)
class _Kept:
    key: str
    fetched: float


class BalancerKeys:
    """Keys by their ids, for any number of threads.

    Anybody can send a header with the id of a key that does not exist. So an unknown id takes only a few threads, for
    a short time, and never delays a request with a known key.
    """

    def __init__(self, *, keys_url: str, clock: Callable[[], float]) -> None:
        self._keys_url = keys_url.rstrip("/")
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._kept: dict[str, _Kept] = {}
        self._unknown: dict[str, float] = {}
        self._fetching: dict[str, Future[str]] = {}
        self._rests_until = 0.0

    def key(self, key_id: str) -> str:
        """Return a public key; raise UnknownKeyError, NoKeyError or TooManyKeysError, within about FETCH_SECONDS."""
        with self._lock:
            now = self._clock()
            kept = self._kept.get(key_id)
            if kept is not None and now - kept.fetched < KEPT_SECONDS:
                if now - kept.fetched >= FRESH_SECONDS and now >= self._rests_until:
                    # The fetch runs in the background: the request that finds a key out of date does not wait.
                    self._begin(key_id)
                return kept.key
            if self._unknown.get(key_id, 0.0) > now:
                raise UnknownKeyError
        if not self._waiting.acquire(blocking=False):
            raise TooManyKeysError
        try:
            with self._lock:
                coming = self._fetching.get(key_id)
                if coming is None:
                    if self._clock() < self._rests_until:
                        raise TooManyKeysError
                    coming = self._begin(key_id)
                if coming is None:
                    raise TooManyKeysError
            try:
                # Longer than the fetch's own time-outs, each of which limits only one step.
                return coming.result(timeout=2 * FETCH_SECONDS)
            except TimeoutError as fault:
                raise NoKeyError from fault
        finally:
            self._waiting.release()

    def _begin(self, key_id: str) -> Future[str] | None:
        """Fetch a key in a thread of its own; None if the most fetches are under way. The caller holds the lock."""
        if key_id in self._fetching:
            return self._fetching[key_id]
        if len(self._fetching) >= FETCHES_AT_ONCE:
            return None
        coming: Future[str] = Future()
        self._fetching[key_id] = coming
        try:
            threading.Thread(target=self._fetch_into, args=(coming, key_id), daemon=True, name="balancer-key").start()
        except RuntimeError:  # the system cannot start another thread
            del self._fetching[key_id]
            return None
        return coming

    def _read(self, key_id: str) -> str:
        """Fetch a key; raise UnknownKeyError, HTTPError, OSError, HTTPException or ValueError."""
        # Safe in a URL: the id consists of letters, digits and hyphens.
        return content_of(f"{self._keys_url}/{key_id}", largest=_LARGEST_KEY_BYTES)

    def _fetch_into(self, coming: Future[str], key_id: str) -> None:
        fault: Exception | None = None
        key = ""
        try:
            key = self._read(key_id)
        except UnknownKeyError as unknown:
            fault = unknown
        except HTTPError as refused:
            fault = UnknownKeyError() if refused.code in (403, 404) else NoKeyError()
        except (OSError, HTTPException, ValueError):
            fault = NoKeyError()
        with self._lock:
            now = self._clock()
            del self._fetching[key_id]
            if fault is None:
                _keep(self._kept, key_id, _Kept(key, now), most=MOST_KEYS)
            elif isinstance(fault, UnknownKeyError):
                self._kept.pop(key_id, None)
                _keep(self._unknown, key_id, now + UNKNOWN_SECONDS, most=MOST_UNKNOWN)
            else:
                self._rests_until = now + REST_SECONDS
        if fault is None:
            coming.set_result(key)
        else:
            coming.set_exception(fault)


def content_of(url: str, *, largest: int) -> str:
    """Return the content at an address that is a setting of this service: https, or on this machine."""
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # nosec B310  # the address is the deployment's setting
        return str(answer.read(largest).decode("ascii"))


def _keep(memory: dict[str, _Value], key_id: str, value: _Value, *, most: int) -> None:
    memory.pop(key_id, None)
    while len(memory) >= most:
        del memory[next(iter(memory))]
    memory[key_id] = value
