"""Retries a topic's delivery to a function while the function fails, then sends it to the dead-letter queue.

ministack runs a topic's function once and ignores the result. Its CloudFormation drops a function's dead-letter queue.
It sends to such a queue the invocation record of a destination instead of the event.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from cdk_rehearsal.permissions.needs.acting import lambda_role_needs
from cdk_rehearsal.plug_in.aws_clients import own_client
from cdk_rehearsal.plug_in.iam import AccessDeniedError, Permissions
from cdk_rehearsal.plug_in.iam.delivery_permissions import Deliveries
from cdk_rehearsal.plug_in.iam.execution_role import function_role
from cdk_rehearsal.plug_in.ministack_adapter import cloudformation_resources, lambda_, sns

_KIND = "AWS::Lambda::Function"
_FUNCTION_FAILED = "200"  # the invocation succeeded; the payload reports the function's failure
_MESSAGE_LENGTH = 1024


def install(permissions: Permissions) -> None:
    sns.deliver_to_lambda = _delivering(Deliveries(permissions))
    lambda_.route_asynchronous_failure = _keeping_the_event(lambda_.route_asynchronous_failure, permissions)
    handlers = cloudformation_resources.handlers[_KIND]
    cloudformation_resources.handlers[_KIND] = {
        **handlers,
        "create": _with_queue(handlers["create"], properties_at=1),
        "update": _with_queue(handlers["update"], properties_at=2),
    }


def _with_queue(handler: Callable[..., Any], *, properties_at: int) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        name, attributes = handler(*arguments)
        # Empty if the template has none: Lambda's API removes the queue this way.
        configuration = lambda_.functions[name]["config"]
        configuration["DeadLetterConfig"] = arguments[properties_at].get("DeadLetterConfig", {})
        return name, attributes

    return run


def _delivering(deliveries: Deliveries) -> Callable[..., None]:
    """On a separate thread, which may call back into the emulator."""

    def deliver(
        endpoint: str, envelope: str, topic_arn: str, subscription_arn: str, _id: str, _message: str, _attributes: Any
    ) -> None:
        function, configuration, _ = lambda_.function_record(endpoint)
        # A deleted function has no policy to check.
        there = bool(function and configuration)
        if not there or not deliveries.topic_may(topic_arn, protocol="lambda", endpoint=endpoint):
            _keep_undeliverable(envelope, topic_arn, subscription_arn, deliveries)
            return
        record = {
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription_arn,
            "EventSource": "aws:sns",
            "Sns": json.loads(envelope),
        }
        lambda_.invoke_async_with_retry(lambda_.execution_record(function, configuration), {"Records": [record]})

    return deliver


def _keep_undeliverable(envelope: str, topic_arn: str, subscription_arn: str, deliveries: Deliveries) -> None:
    """If the function is missing or SNS may not invoke it, the subscription's dead-letter queue gets the message."""
    described = own_client("sns").get_subscription_attributes(SubscriptionArn=subscription_arn)["Attributes"]
    queue = json.loads(described.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    if queue and deliveries.topic_may(topic_arn, protocol="sqs", endpoint=queue):
        own_client("sqs").send_message(QueueUrl=_queue_url(queue), MessageBody=envelope)


def _keeping_the_event(route: Callable[..., None], permissions: Permissions) -> Callable[..., None]:
    """A dead-letter queue or topic gets the event itself, with the reason in attributes; a destination gets the
    invocation record.

    Lambda sends both with the function's role. If the role lacks the permission, the event is lost, as on AWS.
    """

    def keep(target_arn: str, function_name: str, event: dict[str, Any], result: dict[str, Any]) -> None:
        configuration = lambda_.functions[function_name]["config"]
        if target_arn != configuration.get("DeadLetterConfig", {}).get("TargetArn"):
            if _may_send(permissions, configuration, target_arn):
                route(target_arn, function_name, event, result)
            return
        said = result.get("body")
        reason = said.get("errorMessage", "") if isinstance(said, dict) else ""
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": str(uuid.uuid4())},
            "ErrorCode": {"DataType": "Number", "StringValue": _FUNCTION_FAILED},
            "ErrorMessage": {"DataType": "String", "StringValue": (reason or "unknown")[:_MESSAGE_LENGTH]},
        }
        body = json.dumps(event)
        with contextlib.suppress(AccessDeniedError, ClientError):
            role = function_role(permissions, configuration)
            if target_arn.split(":")[2] == "sns":
                role.client("sns").publish(TopicArn=target_arn, Message=body, MessageAttributes=attributes)
            else:
                role.client("sqs").send_message(
                    QueueUrl=_queue_url(target_arn), MessageBody=body, MessageAttributes=attributes
                )

    return keep


def _may_send(permissions: Permissions, configuration: dict[str, Any], destination: str) -> bool:
    function = {name: configuration[name] for name in ("FunctionName", "Role")}
    asked = lambda_role_needs(function, world=permissions.world, destinations=(destination,))
    sending = (each for each in asked if not each.need.action.startswith("logs:"))
    return permissions.allows_acting(sending, operation="lambda:destination")


def _queue_url(arn: str) -> str:
    url: str = own_client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    return url
