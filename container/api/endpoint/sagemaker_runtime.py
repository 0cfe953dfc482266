"""Sends SageMaker's InvokeEndpoint over keep-alive connections of its own.

boto3 takes 3 ms of CPU time per invocation; a signature and one write to a socket take a fraction.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import botocore.session
from botocore.httpsession import get_cert_path

from aws.task_credentials import TaskCredentials
from endpoint.http_answer import read_answer
from endpoint.invocation import Invocation
from endpoint.signature import InvocationSigner

LONGEST_ANSWER_BYTES: Final = 4096
MOST_OPENING: Final = 32
"""The most connections that may be opening at once; each holds a thread while it waits for the name server."""
_ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MODEL_ATTRIBUTE: Final = re.compile(r"(?:^|[,;\s])model=([^,;\s]+)")
_UNSEEN_ATTRIBUTE: Final = re.compile(r"(?:^|[,;\s])unseen=([0-9]{1,3}(?:/[0-9]{1,3}){0,63})(?:$|[,;\s])")
_FIRST_STAGE_ATTRIBUTE: Final = re.compile(r"(?:^|[,;\s])first-stage=([01](?:/[01]){0,63})(?:$|[,;\s])")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeAnswer:
    """The runtime's answer.

    `model` is the model that the endpoint names in its custom attributes, if it names one. `unseen_percents` is the
    share of each text's trigrams that the training posts do not have. `by_first_stage` is whether a cascade's first
    stage answered each text. Both are empty if the endpoint does not report them.
    """

    status: int
    body: bytes
    model: str | None
    error_type: str
    unseen_percents: tuple[int, ...] = ()
    by_first_stage: tuple[bool, ...] = ()

    @property
    def error_code(self) -> str:
        """AWS's error code, `unknown` if there is none; never the message, which may quote the post."""
        content = self.content
        named = self.error_type or (content.get("code") or content.get("__type") or "")
        code = str(named).partition(":")[0].rpartition("#")[2].strip()
        return code if _ERROR_CODE.fullmatch(code) else "unknown"

    @property
    def original_status(self) -> int | None:
        """The status that the model's own server returned, if the runtime passes on its error."""
        status = self.content.get("OriginalStatusCode")
        return status if isinstance(status, int) else None

    @property
    def content(self) -> dict[str, object]:
        """The body if it is a JSON object, else an empty one."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}


class TooManyOpeningError(OSError):
    """The most connections allowed are already opening."""


class SageMakerRuntime:
    """Invokes one endpoint, from any number of threads."""

    def __init__(self, *, endpoint_name: str, region: str, connections_kept: int) -> None:
        self._credentials = TaskCredentials(botocore.session.get_session())
        session = botocore.session.get_session()
        # The client serves only to find its address: botocore knows the partitions and reads AWS_ENDPOINT_URL.
        # Without these values it would wait for credentials.
        session.set_credentials("unused", "unused")
        address = urlsplit(session.create_client("sagemaker-runtime", region_name=region).meta.endpoint_url)
        path = f"{address.path.rstrip('/')}/endpoints/{endpoint_name}/invocations"
        self._host = address.hostname or ""
        self._port = address.port or (443 if address.scheme == "https" else 80)
        host = address.netloc.rpartition("@")[2]
        self._request_line = f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
        self._signer = InvocationSigner(host=host, path=path, region=region)
        self._tls: ssl.SSLContext | None = None
        if address.scheme == "https":
            bundle = session.get_config_variable("ca_bundle") or get_cert_path(True)
            self._tls = ssl.create_default_context(cafile=bundle)
        # The connection used last is reused first, so that in a quiet service the others become idle and are closed.
        self._idle: deque[socket.socket] = deque(maxlen=connections_kept)
        self._opening = threading.BoundedSemaphore(MOST_OPENING)

    def invoke(self, body: bytes, invocation: Invocation) -> RuntimeAnswer:
        """Send `body` and return the answer, whatever its status.

        Raises OSError if the endpoint cannot be reached (TimeoutError if it takes too long, TooManyOpeningError if
        too many connections are opening), HTTPException if its answer is not HTTP, BotoCoreError without credentials.
        """
        message = self._signed_message(body, invocation)
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._exchange(self._open(invocation), message, invocation)
        try:
            return self._exchange(connection, message, invocation)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            # The server closed the connection while it was idle; the others have been idle for longer. The retry may
            # score a post twice.
            while self._idle:
                self._idle.pop().close()
            return self._exchange(self._open(invocation), message, invocation)

    def _exchange(self, connection: socket.socket, message: bytes, invocation: Invocation) -> RuntimeAnswer:
        # No socket time-outs, which cost system calls: `invocation` breaks the connection when its time is up.
        reusable = False
        try:
            with invocation.holding(connection):
                connection.sendall(message)
                answer = read_answer(connection, longest=LONGEST_ANSWER_BYTES)
            # Only now: another request must not get a connection that this invocation can still break.
            reusable = answer.reusable
        finally:
            if reusable:
                self._idle.append(connection)
            else:
                connection.close()
        attributes = answer.headers.get("x-amzn-sagemaker-custom-attributes", "")
        model, unseen = _MODEL_ATTRIBUTE.search(attributes), _UNSEEN_ATTRIBUTE.search(attributes)
        first_stage = _FIRST_STAGE_ATTRIBUTE.search(attributes)
        return RuntimeAnswer(
            status=answer.status,
            body=answer.body,
            model=model[1] if model else None,
            error_type=answer.headers.get("x-amzn-errortype", ""),
            unseen_percents=_percents(unseen[1]) if unseen else (),
            by_first_stage=tuple(answered == "1" for answered in first_stage[1].split("/")) if first_stage else (),
        )

    def _open(self, invocation: Invocation) -> socket.socket:
        """Return a new connection. A thread of its own opens it, because a name look-up has no time-out."""
        if not self._opening.acquire(blocking=False):
            raise TooManyOpeningError
        opened: Future[socket.socket] = Future()
        try:
            threading.Thread(target=self._open_into, args=(opened, invocation), daemon=True).start()
        except RuntimeError as fault:  # the system cannot start another thread
            self._opening.release()
            raise TooManyOpeningError from fault
        return opened.result(timeout=invocation.seconds_left())

    def _open_into(self, opened: Future[socket.socket], invocation: Invocation) -> None:
        try:
            # Half the time, so that an address that does not answer leaves time for the next one.
            connection = socket.create_connection((self._host, self._port), timeout=invocation.seconds_left() / 2)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_hostname=self._host)
            connection.settimeout(None)
        except TimeoutError:
            # Not the invocation's own TimeoutError: there is time to retry.
            opened.set_exception(ConnectionError("no connection in half the time"))
        except BaseException as fault:  # passed to the waiting thread, which raises it
            opened.set_exception(fault)
        else:
            opened.set_result(connection)
        finally:
            self._opening.release()

    def _signed_message(self, body: bytes, invocation: Invocation) -> bytes:
        # With these the model's server skips a post whose client has given up, and reports how much of it is new to
        # the model and which stage answered.
        attributes = f"patience-ms={int(invocation.seconds_left() * 1000)},with=unseen,with=first-stage"
        credentials = self._credentials.frozen(invocation.seconds_left())
        headers = self._signer.headers(body, attributes=attributes, credentials=credentials)
        return f"{self._request_line}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _percents(listed: str) -> tuple[int, ...]:
    percents = tuple(map(int, listed.split("/")))
    return percents if max(percents) <= 100 else ()
