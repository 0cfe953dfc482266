"""The jobs of one kind, by name: created, described, listed, stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.aws_error import AwsError, validation_error
from cdk_rehearsal.plug_in.sagemaker.job import Job
from cdk_rehearsal.plug_in.sagemaker.listing import listed


class Jobs:
    """Args:
    kind: the prefix of the API's members: `TrainingJob`.
    words: the name of the kind of job in AWS's messages.
    missing: AWS's message for an unknown job, with a placeholder for the name.
    make: creates the job of a request; raises AwsError.
    """

    def __init__(self, *, kind: str, words: str, missing: str, make: Callable[[dict[str, Any]], Job]) -> None:
        self._kind = kind
        self._words = words
        self._missing = missing
        self._make = make
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def operations(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            f"Create{self._kind}": self.create,
            f"Describe{self._kind}": lambda request: self._find(request).describe(),
            f"Stop{self._kind}": self.stop,
            f"List{self._kind}s": self.list,
        }

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request[f"{self._kind}Name"]
        with self._lock:
            if name in self._jobs:
                raise AwsError(
                    "ResourceInUse",
                    f"{self._words.capitalize()} names must be unique within an AWS account and region, and a "
                    f"{self._words} with this name already exists ({self._jobs[name].arn})",
                )
            job = self._jobs[name] = self._make(request)
        job.start()
        return {f"{self._kind}Arn": job.arn}

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self._find(request)
        if not job.in_progress:
            raise validation_error(f"The request was rejected because the {self._words} is in status {job.status}.")
        job.stop()
        return {}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        members = (
            f"{self._kind}Name",
            f"{self._kind}Arn",
            "CreationTime",
            "LastModifiedTime",
            f"{self._kind}Status",
            "FailureReason",
        )
        described = [job.describe() for job in list(self._jobs.values())]
        summaries = [{member: job[member] for member in members if member in job} for job in described]
        return listed(summaries, request, answer=f"{self._kind}Summaries", prefix=self._kind)

    def _find(self, request: dict[str, Any]) -> Job:
        name = request[f"{self._kind}Name"]
        job = self._jobs.get(name)
        if job is None:
            raise validation_error(self._missing.format(name=name))
        return job
