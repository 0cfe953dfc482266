"""AWS::SageMaker::Model, ::EndpointConfig and ::Endpoint."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from cdk_rehearsal.plug_in.aws_error import AwsError
from cdk_rehearsal.plug_in.cloudformation.resource_types import Made, Properties, as_request, register
from cdk_rehearsal.plug_in.sagemaker import SageMaker

_NAME_LENGTH = 63
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 600.0
_SETTLED = ("InService", "Failed", "OutOfService", "UpdateRollbackFailed")


def install(sagemaker: SageMaker) -> None:
    for kind in ("Model", "EndpointConfig"):
        resource = _Immutable(sagemaker, kind)
        register(f"AWS::SageMaker::{kind}", resource.create, resource.delete, update=resource.replace)
    endpoint = _Endpoint(sagemaker)
    register("AWS::SageMaker::Endpoint", endpoint.create, endpoint.delete, update=endpoint.update)


class _Immutable:
    """A resource type without updates: a change replaces the resource, and CloudFormation deletes the old one at the
    end.
    """

    def __init__(self, sagemaker: SageMaker, kind: str) -> None:
        self._sagemaker = sagemaker
        self._kind = kind

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        name = properties.get(f"{self._kind}Name") or _physical_name(logical_id)
        given = {**properties, f"{self._kind}Name": name}
        request = as_request(f"Create{self._kind}", given, service="sagemaker")
        arn = self._sagemaker.call(f"Create{self._kind}", request)[f"{self._kind}Arn"]
        return arn, {f"{self._kind}Name": name, "Id": arn}

    def replace(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        return self.create(_name_of(physical_id).rpartition("-")[0], new, stack)

    def delete(self, physical_id: str, properties: Properties) -> None:
        _delete(self._sagemaker, self._kind, physical_id)


class _Endpoint:
    def __init__(self, sagemaker: SageMaker) -> None:
        self._sagemaker = sagemaker

    def create(self, logical_id: str, properties: Properties, stack: str) -> Made:
        name = properties.get("EndpointName") or _physical_name(logical_id)
        request = as_request("CreateEndpoint", {**properties, "EndpointName": name}, service="sagemaker")
        for of_an_update in ("RetainAllVariantProperties", "ExcludeRetainedVariantProperties"):
            request.pop(of_an_update, None)
        self._sagemaker.call("CreateEndpoint", request)
        return self._serving(name, request["EndpointConfigName"])

    def update(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        if new.get("EndpointName") != old.get("EndpointName"):
            return self.create(_name_of(physical_id).rpartition("-")[0], new, stack)
        name = _name_of(physical_id)
        given = {key: value for key, value in new.items() if key != "Tags"}
        request = as_request("UpdateEndpoint", {**given, "EndpointName": name}, service="sagemaker")
        self._sagemaker.call("UpdateEndpoint", request)
        return self._serving(name, request["EndpointConfigName"])

    def delete(self, physical_id: str, properties: Properties) -> None:
        name = _name_of(physical_id)
        _delete(self._sagemaker, "Endpoint", physical_id)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._describe(name) is not None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _serving(self, name: str, configuration: str) -> Made:
        """Waits until the endpoint is InService with the configuration; ministack reports a ValueError as reason."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (described := self._describe(name)) is None or described["EndpointStatus"] not in _SETTLED:
            if time.monotonic() > deadline:
                raise ValueError(f"endpoint {name} has not settled within {_PATIENCE_SECONDS:g} s")
            time.sleep(_POLL_SECONDS)
        if (described["EndpointStatus"], described["EndpointConfigName"]) != ("InService", configuration):
            raise ValueError(described.get("FailureReason") or f"endpoint {name} is {described['EndpointStatus']}")
        arn: str = described["EndpointArn"]
        return arn, {"EndpointName": name, "Id": arn}

    def _describe(self, name: str) -> dict[str, Any] | None:
        try:
            return self._sagemaker.call("DescribeEndpoint", {"EndpointName": name})
        except AwsError:
            return None


def _delete(sagemaker: SageMaker, kind: str, physical_id: str) -> None:
    try:
        sagemaker.call(f"Delete{kind}", {f"{kind}Name": _name_of(physical_id)})
    except AwsError as error:
        if not error.message.startswith("Could not find"):
            raise


def _name_of(arn: str) -> str:
    return arn.rpartition("/")[2]


def _physical_name(logical_id: str) -> str:
    suffix = uuid.uuid4().hex[:12]
    return f"{re.sub('[^a-zA-Z0-9-]', '', logical_id)[: _NAME_LENGTH - len(suffix) - 1]}-{suffix}"
