"""Step Functions' names of the errors of called services.

The optimized integrations use the names and messages of the AWS SDK for Java 1.x, the AWS SDK integrations those of
2.x. Both name an error that the service's model lacks after the service.
"""

from __future__ import annotations

import json
import uuid

from cdk_rehearsal.fault import Kind
from cdk_rehearsal.plug_in.ministack_adapter import stepfunctions

_CALLER = "arn:aws:sts::{account}:assumed-role/workflow/execution"

# Per integration: the client's name, the name of an unmodelled error, and the suffixes of modelled ones.
_OPTIMIZED: dict[str, tuple[str, str, dict[Kind, str]]] = {
    "lambda": (
        "AWSLambda",
        "Lambda.AWSLambdaException",
        {"throttling": "Lambda.TooManyRequestsException", "service_error": "Lambda.ServiceException"},
    ),
    "sagemaker": ("AmazonSageMaker", "SageMaker.AmazonSageMakerException", {}),
    "sns": (
        "AmazonSNS",
        "SNS.AmazonSNSException",
        {"access_denied": "SNS.AuthorizationErrorException", "service_error": "SNS.InternalErrorException"},
    ),
    "sqs": ("AmazonSQS", "SQS.AmazonSQSException", {}),
    "dynamodb": (
        "AmazonDynamoDBv2",
        "DynamoDB.AmazonDynamoDBException",
        {
            "throttling": "DynamoDB.ProvisionedThroughputExceededException",
            "service_error": "DynamoDB.InternalServerErrorException",
        },
    ),
    "states": ("AWSStepFunctions", "StepFunctions.AWSStepFunctionsException", {}),
    "athena": ("AmazonAthena", "Athena.AmazonAthenaException", {"service_error": "Athena.InternalServerException"}),
    "events": ("AmazonEventBridge", "EventBridge.AmazonEventBridgeException", {}),
    "ecs": (
        "AmazonECS",
        "ECS.AmazonECSException",
        {"access_denied": "ECS.AccessDeniedException", "service_error": "ECS.ServerException"},
    ),
}
_SDK_MODELED: dict[str, dict[Kind, str]] = {
    "applicationautoscaling": {"service_error": "InternalServiceException"},
    "cloudwatch": {"service_error": "InternalServiceException"},
    "dynamodb": {
        "throttling": "ProvisionedThroughputExceededException",
        "service_error": "InternalServerErrorException",
    },
    "lambda": {"throttling": "TooManyRequestsException", "service_error": "ServiceException"},
    "ssm": {"service_error": "InternalServerErrorException"},
    "athena": {"throttling": "TooManyRequestsException", "service_error": "InternalServerException"},
}
_WORDS: dict[Kind, tuple[str, int, str]] = {
    "throttling": ("ThrottlingException", 400, "Rate exceeded"),
    "access_denied": (
        "AccessDeniedException",
        400,
        "User: {caller} is not authorized to perform: {action} because no identity-based policy allows the {action} "
        "action",
    ),
    "service_error": ("InternalFailure", 500, "The request processing has failed because of an unknown error."),
}


def task_error(kind: Kind, resource: str, *, account: str) -> tuple[str, str]:
    """The error name and cause of a failing task with this resource."""
    parts = resource.split(":")
    if kind == "function_timeout":
        said = {"errorMessage": "Task timed out after 60.00 seconds", "errorType": "Sandbox.Timedout"}
        return "Sandbox.Timedout", json.dumps(said)
    if parts[5:6] == ["aws-sdk"]:
        return _sdk_error(kind, parts[6], parts[7], account=account)
    service, operation = (parts[5], parts[6]) if parts[2] == "states" else ("lambda", "invoke")
    named = service.capitalize()
    client, unmodeled, modeled = _OPTIMIZED.get(service, (f"Amazon{named}", f"{named}.Amazon{named}Exception", {}))
    code, status, words = _words(kind, service, operation, account=account)
    name = modeled.get(kind, unmodeled)
    if name != unmodeled:
        code = name.partition(".")[2]
    cause = f"{words} (Service: {client}; Status Code: {status}; Error Code: {code}; Request ID: {uuid.uuid4()}; "
    return name, f"{cause}Proxy: null)"


def denied_task_error(resource: str, message: str) -> tuple[str, str]:
    """The error name and cause of a task whose role lacks a permission, in AWS's words."""
    name, cause = task_error("access_denied", resource, account="")
    return name, message + cause[cause.rindex(" (Service: ") :]


def _sdk_error(kind: Kind, service: str, operation: str, *, account: str) -> tuple[str, str]:
    prefix = stepfunctions.aws_sdk_error_prefixes.get(service, service.capitalize())
    name = _SDK_MODELED.get(service, {}).get(kind, f"{prefix}Exception")
    _, status, words = _words(kind, service, operation, account=account)
    return f"{prefix}.{name}", f"{words} (Service: {prefix}, Status Code: {status}, Request ID: {uuid.uuid4()})"


def _words(kind: Kind, service: str, operation: str, *, account: str) -> tuple[str, int, str]:
    code, status, words = _WORDS[kind]
    operation = operation.partition(".")[0]
    action = f"{service}:{operation[0].upper()}{operation[1:]}"
    if action == "lambda:Invoke":
        action = "lambda:InvokeFunction"
    return code, status, words.format(caller=_CALLER.format(account=account), action=action)
