"""The common part of training, transform and processing jobs: thread, status and end."""

from __future__ import annotations

import abc
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from cdk_rehearsal.engines import ContainerCommand, ImageError
from cdk_rehearsal.permissions.needs.acting import ActingNeed
from cdk_rehearsal.plug_in.container_process import ContainerProcess
from cdk_rehearsal.plug_in.events.state_change_events import put_state_change
from cdk_rehearsal.plug_in.iam import AccessDeniedError, ActingRole
from cdk_rehearsal.plug_in.logs.log_delivery import LogShipping
from cdk_rehearsal.plug_in.sagemaker.inner_path import OutsideFolderError, inner_path
from cdk_rehearsal.plug_in.sagemaker.model_artifacts import TransferError
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings, is_not_seen

ROOT = "/opt/ml/"
_REASON_LENGTH = 1024
_DEFAULT_MAX_RUNTIME_SECONDS = 86_400


class JobError(Exception):
    """The job has failed; the message is its FailureReason."""


class Job(abc.ABC):
    """Runs on a separate thread from construction. `describe` returns the API's response at any time.

    `KIND` is the prefix of the API's members, `ARN_KIND` the resource type in its ARN, `WORD` the prefix of its times.
    """

    KIND: ClassVar[str]
    ARN_KIND: ClassVar[str]
    WORD: ClassVar[str]

    def __init__(self, request: dict[str, Any], surroundings: Surroundings, *, role: ActingRole) -> None:
        self.name: str = request[f"{self.KIND}Name"]
        self.folder: Path = surroundings.work_folder / self.WORD.lower() / self.name
        self.created = time.time()
        self._request = request
        self._surroundings = surroundings
        self._role = role
        self._changed = self.created
        self._started: float | None = None
        self._ended: float | None = None
        self._status = "InProgress"
        self._reason = ""
        self._stop_asked = threading.Event()
        self._lock = threading.RLock()

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"{self.ARN_KIND} {self.name}", daemon=True).start()

    @property
    def arn(self) -> str:
        return self._surroundings.arn(self.ARN_KIND, self.name)

    @property
    def status(self) -> str:
        return self._status

    @property
    def in_progress(self) -> bool:
        return self._status in ("InProgress", "Stopping")

    def stop(self) -> None:
        """Takes effect shortly afterwards; does nothing to a job that has ended."""
        with self._lock:
            if self._status == "InProgress":
                self._status = "Stopping"
                self._changed = time.time()
                self._stop_asked.set()

    def describe(self) -> dict[str, Any]:
        with self._lock:
            answer: dict[str, Any] = {
                **self._request,
                f"{self.KIND}Arn": self.arn,
                f"{self.KIND}Status": self._status,
                "CreationTime": self.created,
                "LastModifiedTime": self._changed,
                **self._details(),
            }
            answer.pop("Tags", None)
            if self._started:
                answer[f"{self.WORD}StartTime"] = self._started
            if self._ended:
                answer[f"{self.WORD}EndTime"] = self._ended
            if self._reason:
                answer["FailureReason"] = self._reason
            return answer

    @abc.abstractmethod
    def _work(self) -> str:
        """Returns the final status, Completed or Stopped. Raises JobError and the errors that `_run` handles."""

    @abc.abstractmethod
    def _role_needs(self) -> tuple[ActingNeed, ...]:
        """The permissions that SageMaker needs in the job's role."""

    def _below(self, path: str) -> Path:
        """The local path for a container's path. Raises TransferError if there is none."""
        outside = f'LocalPath "{path}" is outside of {ROOT}, which is what the embedded AWS provides'
        if not path.startswith(ROOT):
            raise TransferError(outside)
        try:
            return inner_path(self.folder, path.removeprefix(ROOT))
        except OutsideFolderError as error:
            raise TransferError(outside) from error

    def _details(self) -> dict[str, Any]:
        """The members of the description that only this kind of job has."""
        return {}

    def _run(self) -> None:
        try:
            self._surroundings.permissions.require_acting(
                filter(is_not_seen, self._role_needs()), operation=f"sagemaker:{self.WORD.lower()} job"
            )
            self._finish(self._work())
        except JobError as error:
            self._finish("Failed", str(error))
        except (TransferError, ImageError, OSError, AccessDeniedError) as error:
            self._finish("Failed", f"ClientError: {error}")
        except (ClientError, BotoCoreError) as error:
            self._finish("Failed", f"InternalServerError: {error}")

    def _finish(self, status: str, reason: str = "") -> None:
        with self._lock:
            self._reason = reason[:_REASON_LENGTH]
            self._ended = self._changed = time.time()
            self._status = status
        self._tell()

    def _tell(self) -> None:
        put_state_change(f"{self.WORD} Job", self.describe(), operation=f"Describe{self.KIND}", resource=self.arn)

    def _begin(self) -> None:
        with self._lock:
            self._started = self._changed = time.time()

    def _run_program(self, command: ContainerCommand, *, log_group: str) -> tuple[str, int, str]:
        """Returns Completed, Stopped, MaxRuntimeExceeded or Failed; the exit status; the end of the log."""
        log = self.folder / "log.txt"
        process = ContainerProcess(command, log=log, registry=self._surroundings.registry)
        shipping = LogShipping(log, group=log_group, stream=f"{self.name}/algo-1-{int(self.created)}", role=self._role)
        try:
            ending = self._wait(process)
        finally:
            process.stop()
            shipping.stop()
        return ending, process.poll() or 0, process.log_tail()

    def _wait(self, process: ContainerProcess) -> str:
        limit = self._request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DEFAULT_MAX_RUNTIME_SECONDS)
        deadline = time.monotonic() + limit
        while (status := process.wait(timeout_seconds=0.1)) is None:
            if self._stop_asked.is_set():
                return "Stopped"
            if time.monotonic() > deadline:
                return "MaxRuntimeExceeded"
        return "Completed" if status == 0 else "Failed"
