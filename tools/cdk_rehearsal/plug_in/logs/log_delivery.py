"""Sends a program's output to CloudWatch Logs while it runs."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

from botocore.exceptions import ClientError

from cdk_rehearsal.plug_in.iam import ActingRole

_INTERVAL_SECONDS = 1.0
_BATCH = 1000


class LogShipping:
    """Follows a file from its beginning; `stop` sends the rest and returns."""

    def __init__(self, log: Path, *, group: str, stream: str, role: ActingRole) -> None:
        self._log = log
        self._group = group
        self._stream = stream
        self._role = role
        self._offset = 0
        self._created = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"logs {stream}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        # As on AWS, a program whose role may not write logs runs without them.
        with contextlib.suppress(ClientError, OSError):
            while not self._stopping.wait(_INTERVAL_SECONDS):
                self._ship(to_the_end=False)
            self._ship(to_the_end=True)

    def _ship(self, *, to_the_end: bool) -> None:
        if not self._log.is_file():
            return
        # The file is in the program's own folder, so the program may have replaced it by a link.
        with open(os.open(self._log, os.O_RDONLY | os.O_NOFOLLOW), "rb") as log:
            log.seek(self._offset)
            text = log.read()
        complete = text if to_the_end else text[: text.rfind(b"\n") + 1]
        if not complete:
            return
        self._offset += len(complete)
        now = int(time.time() * 1000)
        lines = complete.decode(errors="replace").splitlines()
        events = [{"timestamp": now, "message": line[:200_000]} for line in lines if line.strip()]
        logs = self._role.client("logs")
        if not self._created:
            self._create()
        for start in range(0, len(events), _BATCH):
            logs.put_log_events(
                logGroupName=self._group, logStreamName=self._stream, logEvents=events[start : start + _BATCH]
            )

    def _create(self) -> None:
        client = self._role.client("logs")
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_group(logGroupName=self._group)
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        self._created = True
