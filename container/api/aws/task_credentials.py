"""The credentials that sign requests, renewed in the background."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import Final

import botocore.session
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError

RENEWAL_SECONDS: Final = 30.0
"""botocore renews a role's credentials only when a caller asks for them, from 15 minutes before they expire."""
RETRY_SECONDS: Final = 1.0
CREDENTIAL_FAULTS: Final = (BotoCoreError, ClientError, ResponseParserError, OSError, ValueError, RuntimeError)
"""The errors that fetching credentials may raise; the last one if the new credentials have already expired."""
_log = logging.getLogger("api")


class TaskCredentials:
    """The session's credentials. Only the first caller may have to wait for the service that issues them."""

    def __init__(self, session: botocore.session.Session) -> None:
        self._session = session
        self._first: Future[ReadOnlyCredentials] = Future()
        self._latest: ReadOnlyCredentials | None = None
        threading.Thread(target=self._keep_fresh, daemon=True, name="task-credentials").start()

    def frozen(self, seconds: float) -> ReadOnlyCredentials:
        """Return the current credentials; raise TimeoutError if there are none within this many seconds."""
        return self._latest or self._first.result(timeout=seconds)

    def _keep_fresh(self) -> None:
        wake = threading.Event()
        while True:
            try:
                credentials = self._session.get_credentials()
                if credentials is None:
                    raise NoCredentialsError
                self._latest = credentials.get_frozen_credentials()
            except CREDENTIAL_FAULTS as fault:
                # The current ones may still be valid: the service that issues them may recover before they expire.
                _log.warning("no new credentials", extra={"fields": {"fault": type(fault).__name__}})
                wake.wait(RETRY_SECONDS)
                continue
            if not self._first.done():
                self._first.set_result(self._latest)
            wake.wait(RENEWAL_SECONDS)
