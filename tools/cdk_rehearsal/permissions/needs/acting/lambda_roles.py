"""What the roles of Lambda functions need besides the calls of their code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cdk_rehearsal.permissions.needs.acting.acting_needs import LAMBDA_NETWORK, ActingNeeds
from cdk_rehearsal.permissions.needs.acting.actor import ActingNeed, Actor
from cdk_rehearsal.permissions.needs.arns import function_arn
from cdk_rehearsal.permissions.needs.world import World

_SERVICE = "lambda.amazonaws.com"


def lambda_role_needs(
    function: Mapping[str, Any], *, world: World, destinations: tuple[str, ...] = ()
) -> tuple[ActingNeed, ...]:
    """
    Args:
        function: the output of GetFunctionConfiguration, or the parameters of CreateFunction.
        world: look-ups in the account's state.
        destinations: the ARNs of the event invoke configuration's on-failure and on-success destinations.
    """
    acting = ActingNeeds(actor=Actor(service=_SERVICE, role=function.get("Role", "")), world=world)
    name = function.get("FunctionName", "")
    group = (function.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    found = list(acting.logs("lambda_logs", group, "2026/01/01/[$LATEST]0", makes_group=False))
    if (function.get("TracingConfig") or {}).get("Mode") == "Active":
        found += acting.traces("lambda_tracing", samples=False)
    vpc = function.get("VpcConfig") or {}
    if subnets := vpc.get("SubnetIds"):
        groups = vpc.get("SecurityGroupIds") or ()
        found += acting.network("lambda_vpc", LAMBDA_NETWORK, subnets=subnets, security_groups=groups)
    if key := function.get("KMSKeyArn"):
        context = {"aws:lambda:FunctionArn": function_arn(world, name)}
        found += acting.key("lambda_environment_key", key, "Decrypt", via="lambda", encrypting=context)
    dead_letters = (function.get("DeadLetterConfig") or {}).get("TargetArn")
    for target in (dead_letters, *destinations):
        if target:
            found += _sends(acting, target)
    return tuple(dict.fromkeys(found))


def event_source_mapping_needs(mapping: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        mapping: the output of GetEventSourceMapping.
        world: look-ups in the account's state.
    """
    function = world.described("lambda:function", mapping.get("FunctionArn") or mapping.get("FunctionName", "")) or {}
    acting = ActingNeeds(actor=Actor(service=_SERVICE, role=function.get("Role", "")), world=world)
    source = mapping.get("EventSourceArn", "")
    found: list[ActingNeed] = []
    if ":sqs:" in source:
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"):
            found.append(acting.need("lambda_queue", action, source))
        if key := world.key_of(source):
            found += acting.key("lambda_queue", key, "Decrypt", via="sqs", encrypting={"aws:sqs:arn": source})
    elif ":dynamodb:" in source:
        for action in ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"):
            found.append(acting.need("lambda_stream", action, source))
        found.append(acting.need("lambda_stream", "dynamodb:ListStreams"))
        if key := world.key_of(source.partition("/stream/")[0]):
            found += acting.key("lambda_stream", key, "Decrypt", via="dynamodb")
    for place in (mapping.get("DestinationConfig") or {}).values():
        if target := (place or {}).get("Destination"):
            found += _sends(acting, target)
    return tuple(dict.fromkeys(found))


def _sends(acting: ActingNeeds, target: str) -> Iterator[ActingNeed]:
    rule = "lambda_dead_letter"
    match target.split(":")[2]:
        case "sqs":
            yield acting.need(rule, "sqs:SendMessage", target)
            if key := acting.world.key_of(target):
                context = {"aws:sqs:arn": target}
                yield from acting.key(rule, key, "GenerateDataKey", "Decrypt", via="sqs", encrypting=context)
        case "sns":
            yield acting.need(rule, "sns:Publish", target)
            if key := acting.world.key_of(target):
                context = {"aws:sns:topicArn": target}
                yield from acting.key(rule, key, "GenerateDataKey", "Decrypt", via="sns", encrypting=context)
        case "lambda":
            yield acting.need(rule, "lambda:InvokeFunction", target)
        case "events":
            yield acting.need(rule, "events:PutEvents", target)
