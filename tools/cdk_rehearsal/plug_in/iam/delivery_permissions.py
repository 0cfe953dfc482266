"""Authorizes the deliveries between services, made as service principals or in a role.

As on AWS, a denied delivery is dropped or goes to its dead-letter queue. No caller gets an error: only the permission
record shows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cdk_rehearsal.permissions.needs.acting import alarm_action_needs, rule_target_needs, topic_delivery_needs
from cdk_rehearsal.plug_in.iam.permissions import Permissions
from cdk_rehearsal.plug_in.ministack_adapter import cloudwatch, events, sns

_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def install(permissions: Permissions) -> None:
    deliveries = Deliveries(permissions)
    events.invoke_target = deliveries.of_rules(events.invoke_target)
    cloudwatch.dispatch_alarm_actions = deliveries.of_alarms(cloudwatch.dispatch_alarm_actions)
    sns.deliver_to_sqs = deliveries.to_queues(sns.deliver_to_sqs)


def _redrive_queue(topic_arn: str, endpoint: str) -> str:
    """The dead-letter queue of the topic's subscription with this endpoint; empty if it has none."""
    topic = sns.topic_by_arn(topic_arn) or {"subscriptions": ()}
    for subscription in topic["subscriptions"]:
        if subscription["endpoint"] == endpoint:
            redrive = json.loads(subscription.get("attributes", {}).get("RedrivePolicy") or "{}")
            return str(redrive.get("deadLetterTargetArn", ""))
    return ""


class Deliveries:
    """Authorizes each delivery before it is made."""

    def __init__(self, permissions: Permissions) -> None:
        self._permissions = permissions

    def topic_may(self, topic: str, *, protocol: str, endpoint: str) -> bool:
        """Whether a topic may deliver to a function (`lambda`) or a queue (`sqs`)."""
        subscription = {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint}
        asked = topic_delivery_needs(subscription, world=self._permissions.world)
        return self._permissions.allows_acting(asked, operation="sns:deliver")

    def of_rules(self, invoke: Callable[..., Any]) -> Callable[..., Any]:
        def invoke_target(target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], *more: Any) -> None:
            alone = {name: value for name, value in target.items() if name != "DeadLetterConfig"}
            if self._rule_may(rule, alone):
                invoke(target, event, rule, *more)
                return
            queue = (target.get("DeadLetterConfig") or {}).get("Arn")
            if queue and self._rule_may(rule, {"DeadLetterConfig": {"Arn": queue}}):
                # EventBridge stores the event unchanged.
                invoke({"Id": target["Id"], "Arn": queue}, event, rule, *more)

        return invoke_target

    def of_alarms(self, dispatch: Callable[..., Any]) -> Callable[..., Any]:
        def dispatch_actions(alarm: Mapping[str, Any], old: str, new: str, reason: str) -> None:
            name = _ACTIONS[new]
            allowed = [action for action in alarm.get(name) or () if self._alarm_may(alarm, name, action)]
            dispatch({**alarm, name: allowed}, old, new, reason)

        return dispatch_actions

    def to_queues(self, deliver: Callable[..., Any]) -> Callable[..., Any]:
        def deliver_to_queue(endpoint: str, *message: Any, topic_arn: str = "", **more: Any) -> None:
            if self.topic_may(topic_arn, protocol="sqs", endpoint=endpoint):
                deliver(endpoint, *message, topic_arn=topic_arn, **more)
                return
            # "Client-side errors … are not retried": https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
            queue = _redrive_queue(topic_arn, endpoint)
            if queue and self.topic_may(topic_arn, protocol="sqs", endpoint=queue):
                deliver(queue, *message, topic_arn=topic_arn, **more)

        return deliver_to_queue

    def _rule_may(self, rule: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
        asked = rule_target_needs(rule["Arn"], target, world=self._permissions.world)
        return self._permissions.allows_acting(asked, operation="events:deliver")

    def _alarm_may(self, alarm: Mapping[str, Any], name: str, action: str) -> bool:
        asked = alarm_action_needs({"AlarmArn": alarm["AlarmArn"], name: [action]}, world=self._permissions.world)
        return self._permissions.allows_acting(asked, operation="cloudwatch:deliver")
