"""Services that deliver to topics, queues, functions and buckets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cdk_rehearsal.permissions.needs.acting.acting_needs import ActingNeeds
from cdk_rehearsal.permissions.needs.acting.actor import ActingNeed, Actor
from cdk_rehearsal.permissions.needs.arns import account_of, arn, bucket_arn, dns_suffix
from cdk_rehearsal.permissions.needs.world import World

_EVENTS = "events.amazonaws.com"
_SNS = "sns.amazonaws.com"
# The action that EventBridge and the scheduler need in a role to invoke a target:
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
_BY_ROLE = {
    "events": "events:PutEvents",
    "firehose": "firehose:PutRecord",
    "kinesis": "kinesis:PutRecord",
    "lambda": "lambda:InvokeFunction",
    "sns": "sns:Publish",
    "sqs": "sqs:SendMessage",
    "states": "states:StartExecution",
}
_AS_ITSELF = {"lambda": "lambda:InvokeFunction", "sns": "sns:Publish", "sqs": "sqs:SendMessage"}


def alarm_action_needs(alarm: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        alarm: an alarm as DescribeAlarms returns it.
        world: look-ups in the account's state.
    """
    name = alarm.get("AlarmArn") or arn(world, "cloudwatch", f"alarm:{alarm.get('AlarmName', '')}")
    source = _source(name, world)
    found: list[ActingNeed] = []
    for list_name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        for action in alarm.get(list_name) or ():
            match action.split(":")[2:3]:
                case ["sns"]:
                    acting = _as_itself("cloudwatch.amazonaws.com", world)
                    # A topic's default policy allows callers that act for the account by this older key, as CloudWatch
                    # does:
                    # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html#source-account-versus-source-owner
                    owned = {**source, "aws:SourceOwner": source["aws:SourceAccount"]}
                    found.append(acting.need("alarm_topic", "sns:Publish", action, owned))
                    found += _topic_key(acting, "alarm_topic", action, source)
                case ["lambda"]:
                    acting = _as_itself("lambda.alarms.cloudwatch.amazonaws.com", world)
                    found.append(acting.need("alarm_function", "lambda:InvokeFunction", action, source))
    return tuple(dict.fromkeys(found))


def topic_delivery_needs(subscription: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        subscription: attributes as GetSubscriptionAttributes returns them: TopicArn, Protocol, Endpoint, RedrivePolicy.
        world: look-ups in the account's state.
    """
    acting = _as_itself(_SNS, world)
    endpoint = subscription.get("Endpoint", "")
    source = _source(subscription.get("TopicArn", ""), world)
    found: list[ActingNeed] = []
    match subscription.get("Protocol"):
        case "sqs":
            found.append(acting.need("topic_queue", "sqs:SendMessage", endpoint, source))
            found += _queue_key(acting, "topic_encrypted_queue", endpoint, source)
        case "lambda":
            found.append(acting.need("topic_function", "lambda:InvokeFunction", endpoint, source))
    redrive = subscription.get("RedrivePolicy")
    if isinstance(redrive, str) and redrive:
        redrive = json.loads(redrive)
    if redrive:
        queue = redrive["deadLetterTargetArn"]
        found.append(acting.need("topic_dead_letter", "sqs:SendMessage", queue, source))
        found += _queue_key(acting, "topic_encrypted_queue", queue, source)
    return tuple(found)


def rule_target_needs(rule_arn: str, target: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        rule_arn: the rule's ARN.
        target: a target as ListTargetsByRule returns it.
        world: look-ups in the account's state.
    """
    reached = target.get("Arn", "")
    service = reached.split(":")[2] if reached.count(":") >= 5 else ""
    source = _source(rule_arn, world)
    itself = _as_itself(_EVENTS, world)
    found: list[ActingNeed] = []
    if role := target.get("RoleArn"):
        found += _in_role("rule_role", Actor(service=_EVENTS, role=role, source=rule_arn), target, world)
    elif service == "sns":
        # "You can't use Condition blocks in Amazon SNS topic policies for EventBridge": it sends no source, neither to
        # the topic (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html) nor to its key
        # (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
        found.append(itself.need("rule_resource_policy", "sns:Publish", reached))
        found += _topic_key(itself, "rule_encrypted_topic", reached, {})
    elif service in _AS_ITSELF:
        found.append(itself.need("rule_resource_policy", _AS_ITSELF[service], reached, source))
        if service == "sqs":
            found += _queue_key(itself, "rule_resource_policy", reached, {})
    if queue := (target.get("DeadLetterConfig") or {}).get("Arn"):
        found.append(itself.need("rule_dead_letter", "sqs:SendMessage", queue, source))
        found += _queue_key(itself, "rule_dead_letter", queue, {})
    return tuple(dict.fromkeys(found))


def schedule_target_needs(schedule: Mapping[str, Any], *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        schedule: a schedule as EventBridge Scheduler's GetSchedule returns it.
        world: look-ups in the account's state.
    """
    target = schedule.get("Target") or {}
    actor = Actor(service="scheduler.amazonaws.com", role=target.get("RoleArn", ""))
    found = list(_in_role("schedule_role", actor, target, world))
    if queue := (target.get("DeadLetterConfig") or {}).get("Arn"):
        acting = ActingNeeds(actor=actor, world=world)
        found.append(acting.need("schedule_role", "sqs:SendMessage", queue))
    return tuple(dict.fromkeys(found))


def log_group_key_needs(log_group: str, key: str, *, world: World) -> tuple[ActingNeed, ...]:
    """
    Args:
        log_group: the log group's name.
        key: the ARN of its customer managed key.
        world: look-ups in the account's state.
    """
    acting = _as_itself(f"logs.{world.region}.{dns_suffix(world)}", world)
    context = {"aws:logs:arn": arn(world, "logs", f"log-group:{log_group}")}
    # The documented policy also allows Describe*, but under a condition on the encryption context, which DescribeKey
    # lacks.
    actions = ("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey")
    return tuple(acting.key("log_group_key", key, *actions, encrypting=context))


def access_log_delivery_needs(
    kind: str, source_arn: str, bucket: str, key: str, *, world: World
) -> tuple[ActingNeed, ...]:
    """
    Args:
        kind: "s3" for a bucket's access logs, "elasticloadbalancing" for a load balancer's.
        source_arn: the ARN of the logged resource.
        bucket: the name of the bucket that takes the logs.
        key: the key of a log object.
        world: look-ups in the account's state.
    """
    service, rule = {
        "s3": ("logging.s3.amazonaws.com", "s3_access_logs"),
        "elasticloadbalancing": ("logdelivery.elasticloadbalancing.amazonaws.com", "balancer_access_logs"),
    }[kind]
    acting = _as_itself(service, world)
    return (acting.need(rule, "s3:PutObject", f"{bucket_arn(world, bucket)}/{key}", _source(source_arn, world)),)


def _as_itself(service: str, world: World) -> ActingNeeds:
    return ActingNeeds(actor=Actor(service=service), world=world)


def _source(source_arn: str, world: World) -> Mapping[str, str]:
    return {"aws:SourceArn": source_arn, "aws:SourceAccount": account_of(source_arn, world)}


def _in_role(rule: str, actor: Actor, target: Mapping[str, Any], world: World) -> Iterator[ActingNeed]:
    acting = ActingNeeds(actor=actor, world=world)
    reached = target.get("Arn", "")
    service = reached.split(":")[2] if reached.count(":") >= 5 else ""
    if service == "ecs":
        definition = (target.get("EcsParameters") or {}).get("TaskDefinitionArn", "")
        yield acting.need(rule, "ecs:RunTask", definition, {"ecs:cluster": reached})
    elif action := _BY_ROLE.get(service):
        yield acting.need(rule, action, reached)
        if service == "sns":
            yield from _topic_key(acting, rule, reached, {}, via="sns")
        if service == "sqs":
            yield from _queue_key(acting, rule, reached, {}, via="sqs")


def _topic_key(
    acting: ActingNeeds, rule: str, topic: str, source: Mapping[str, str], *, via: str = ""
) -> Iterator[ActingNeed]:
    if key := acting.world.key_of(topic):
        context = {"aws:sns:topicArn": topic}
        yield from acting.key(rule, key, "GenerateDataKey", "Decrypt", via=via, encrypting=context, source=source)


def _queue_key(
    acting: ActingNeeds, rule: str, queue: str, source: Mapping[str, str], *, via: str = ""
) -> Iterator[ActingNeed]:
    if key := acting.world.key_of(queue):
        context = {"aws:sqs:arn": queue}
        yield from acting.key(rule, key, "GenerateDataKey", "Decrypt", via=via, encrypting=context, source=source)
