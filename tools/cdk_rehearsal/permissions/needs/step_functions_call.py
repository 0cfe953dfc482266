"""The API call that Step Functions makes for a Task state's resource."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from cdk_rehearsal.permissions.api_request.service_index import service_index
from cdk_rehearsal.permissions.api_request.service_models import operation_names, service_model

Pattern = Literal["request-response", "sync", "callback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFunctionsCall:
    """The call of a task, and whether the task waits for the end (`.sync`)."""

    service: str  # botocore's name of the service
    operation: str
    pattern: Pattern


# https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
_OPTIMIZED = MappingProxyType({"states": "stepfunctions"})
_RESOURCE = re.compile(
    r"arn:aws[\w-]*:states:[^:]*:[^:]*:(?P<sdk>aws-sdk:)?(?P<service>[\w-]+):(?P<operation>\w+)"
    r"(?:\.(?P<pattern>sync(?::2)?|waitForTaskToken))?"
)
_LAMBDA = re.compile(r"arn:aws[\w-]*:lambda:[^:]+:\d*:function:.+")


def step_functions_call(resource: str) -> StepFunctionsCall | None:
    """None for a task that calls no AWS API: an activity, an HTTP endpoint.

    Args:
        resource: a Task's Resource, such as `arn:aws:states:::sagemaker:createTrainingJob.sync`.
    """
    if _LAMBDA.fullmatch(resource):
        return StepFunctionsCall(service="lambda", operation="Invoke", pattern="request-response")
    found = _RESOURCE.fullmatch(resource)
    if not found:
        return None
    name = found["service"]
    service = _sdk_service(name) if found["sdk"] else _OPTIMIZED.get(name, name)
    if service is None or service not in service_index().signing_names:
        return None
    operation = _operation(service, found["operation"])
    if operation is None:
        return None
    patterns: dict[str | None, Pattern] = {None: "request-response", "waitForTaskToken": "callback"}
    return StepFunctionsCall(service=service, operation=operation, pattern=patterns.get(found["pattern"], "sync"))


@cache
def _operation(service: str, name: str) -> str | None:
    """Task resources write operations with a small first letter: `createTrainingJob`."""
    return next((each for each in operation_names(service) if each.lower() == name.lower()), None)


@cache
def _sdk_service(name: str) -> str | None:
    """The AWS SDK for Java's name of a service, in lower case: its id without spaces or hyphens.

    https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
    """
    known = {
        "sfn": "stepfunctions",
        "cloudwatchlogs": "logs",
        "eventbridge": "events",
        "elasticloadbalancingv2": "elbv2",
    }
    if name in known:
        return known[name]
    plain = re.sub(r"\W", "", name).lower()
    for service in service_index().signing_names:
        if re.sub(r"\W", "", service).lower() == plain:
            return service
    for service in service_index().signing_names:  # the service id differs from the folder's name
        if re.sub(r"\W", "", service_model(service).service_id).lower() == plain:
            return service
    return None
