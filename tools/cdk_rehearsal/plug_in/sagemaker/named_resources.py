"""SageMaker's passive resources (models, endpoint configurations): create, describe, list, delete."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.aws_error import validation_error
from cdk_rehearsal.plug_in.sagemaker.listing import listed
from cdk_rehearsal.plug_in.sagemaker.surroundings import Surroundings


class NamedResources:
    """Args:
    prefix: the prefix of the request's and response's members: `Model` for `ModelName` and `ModelArn`.
    kind: the resource's name in AWS's messages.
    arn_kind: the resource type in its ARN.
    check: raises AwsError for a request that refers to a missing resource.
    """

    def __init__(
        self,
        *,
        prefix: str,
        kind: str,
        arn_kind: str,
        surroundings: Surroundings,
        check: Callable[[dict[str, Any]], None],
    ) -> None:
        self._prefix = prefix
        self._kind = kind
        self._arn_kind = arn_kind
        self._surroundings = surroundings
        self._check = check
        self._resources: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request[f"{self._prefix}Name"]
        self._check(request)
        with self._lock:
            if name in self._resources:
                raise validation_error(f'Cannot create already existing {self._kind} "{self._arn(name)}".')
            self._resources[name] = {**request, "CreationTime": time.time(), f"{self._prefix}Arn": self._arn(name)}
        return {f"{self._prefix}Arn": self._arn(name)}

    def has(self, name: str) -> bool:
        return name in self._resources

    def find(self, name: str) -> dict[str, Any]:
        with self._lock:
            if name not in self._resources:
                raise validation_error(f'Could not find {self._kind} "{self._arn(name)}".')
            return self._resources[name]

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in self.find(request[f"{self._prefix}Name"]).items() if name != "Tags"}

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        members = (f"{self._prefix}Name", f"{self._prefix}Arn", "CreationTime")
        with self._lock:
            summaries = [{member: item[member] for member in members} for item in self._resources.values()]
        return listed(summaries, request, answer=f"{self._prefix}s", prefix=self._prefix)

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request[f"{self._prefix}Name"]
        self.find(name)
        with self._lock:
            self._resources.pop(name, None)
        return {}

    def _arn(self, name: str) -> str:
        return self._surroundings.arn(self._arn_kind, name)
