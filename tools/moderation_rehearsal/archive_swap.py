"""Copies or replaces the archive of the model that a release has just trained."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import ClientError

_LOOK_SECONDS = 0.03


class _OnceTrained:
    """From the start of the block, it polls for the training job whose name contains the execution's."""

    def __init__(self, clients: Any, *, execution: str) -> None:
        self._sagemaker, self._s3 = clients("sagemaker"), clients("s3")
        self._execution = execution
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trained archive", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            job = training_job(self._sagemaker, self._execution)
            if job is None:
                continue
            # The archive exists shortly before the job's status is Completed.
            uri = f"{job['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job['TrainingJobName']}/output/model.tar.gz"
            if self._exists(uri):
                self._act(uri)
                return

    def _act(self, uri: str) -> None:
        raise NotImplementedError

    def _copy(self, origin: str, to: str) -> None:
        bucket, key = _split(to)
        from_bucket, from_key = _split(origin)
        self._s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": from_bucket, "Key": from_key})

    def _exists(self, uri: str) -> bool:
        bucket, key = _split(uri)
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError:
            return False
        return True


class ArchiveSwap(_OnceTrained):
    """Replaces the trained archive.

    The evaluated model and its answers stay unchanged: only the model to be served is replaced.

    Args:
        clients: creates a boto3 client for a service name.
        execution: the name of the execution that trains.
        archive: the S3 URI of the other model.
    """

    def __init__(self, clients: Any, *, execution: str, archive: str) -> None:
        super().__init__(clients, execution=execution)
        self._archive = archive
        self.swapped: str | None = None

    def _act(self, uri: str) -> None:
        self._copy(self._archive, uri)
        self.swapped = uri


class ArchiveCopy(_OnceTrained):
    """Copies the trained archive, which the workflow deletes if the release fails.

    Args:
        clients: creates a boto3 client for a service name.
        execution: the name of the execution that trains.
        to: the S3 URI of the copy.
    """

    def __init__(self, clients: Any, *, execution: str, to: str) -> None:
        super().__init__(clients, execution=execution)
        self._to = to
        self.copied = False

    def _act(self, uri: str) -> None:
        self._copy(uri, self._to)
        self.copied = True


def training_job(sagemaker: Any, execution: str) -> dict[str, Any] | None:
    """The description of an execution's training job; None if there is none yet."""
    found = sagemaker.list_training_jobs(NameContains=execution)["TrainingJobSummaries"]
    if not found:
        return None
    job: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=found[0]["TrainingJobName"])
    return job


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
