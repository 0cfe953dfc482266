"""Services that publish to a topic by themselves: CloudWatch's alarms and EventBridge's rules.

The first statement that is added to a topic's policy replaces the one that SNS gives every topic, which lets all of its
account publish. So a rule's target, which needs a statement, silences each alarm on the topic unless alarms get theirs.
Roles of the account go by their own policies. Another service that relied on SNS's policy needs its own statement.
"""

from collections.abc import Mapping
from typing import Any

import jsii
from aws_cdk import Stack
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.interfaces.aws_events import IRuleRef
from constructs import Construct

from ._allow import allow
from ._checks import refusal
from ._inline_policy import acknowledge_inline_policy
from ._interfaces import check_topic
from ._key_use import allow_key
from ._resource_policy import add_statement, is_of_other_region, open_to_account

_ALARMS = "cloudwatch.amazonaws.com"
_RULES = "events.amazonaws.com"


def let_alarms_publish(scope: Construct, topic: sns.ITopic) -> None:
    """Lets the CloudWatch alarms of the account of `scope` publish to `topic` and use its key."""
    conditions = _of_account(scope)
    add_statement(topic, topic.topic_arn, _publish(topic, _ALARMS, conditions))
    _let_use_key(topic, _ALARMS, conditions)


def let_rules_publish(scope: Construct, topic: sns.ITopic) -> None:
    """Lets EventBridge rules publish to `topic` and use its key, and alarms go on to publish.

    Without a condition: EventBridge supports neither aws:SourceAccount nor aws:SourceArn nor aws:SourceOrgID with an
    encrypted topic (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
    """
    if add_statement(topic, topic.topic_arn, _publish(topic, _RULES, None)):
        # SNS's own policy is replaced now. The alarms on the topic are not known here.
        topic.add_to_resource_policy(_publish(topic, _ALARMS, _of_account(scope)))
    _let_use_key(topic, _RULES, None)


def alarm_action(scope: Construct, topic: sns.ITopic) -> cloudwatch_actions.SnsAction:
    """The action of an alarm in `scope` that notifies `topic`, which the alarm is allowed to do.

    Raises:
        InvalidArgumentError: no topic, or one of another region.
    """
    _check_topic(scope, topic)
    let_alarms_publish(scope, topic)
    return cloudwatch_actions.SnsAction(topic)


def rule_target(
    scope: Construct, id: str, topic: sns.ITopic, *, dead_letter_queue: sqs.Queue | None = None
) -> events.IRuleTarget:
    """The target of a rule in `scope` that notifies `topic`.

    EventBridge publishes to a topic of the same account by itself, and to one that is, or may be, of another account as
    the role `id` (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html).

    Raises:
        InvalidArgumentError: no topic, or one of another region.
    """
    _check_topic(scope, topic)
    if topic.env.account == Stack.of(scope).account:
        let_rules_publish(scope, topic)
        return events_targets.SnsTopic(topic, dead_letter_queue=dead_letter_queue)
    role = iam.Role(
        scope,
        id,
        description="Lets a rule publish to a topic",
        assumed_by=iam.ServicePrincipal("events.amazonaws.com"),
    )
    acknowledge_inline_policy(role)
    allow_publishing(role, topic)
    return _TopicByRole(topic, role, dead_letter_queue)


def allow_publishing(role: iam.Role, topic: sns.ITopic) -> None:
    """Lets `role` publish to `topic`. Not by grant_publish, which allows kms:GenerateDataKey* where one is enough.

    Raises:
        InvalidArgumentError: no topic, or one of another region.
    """
    _check_topic(role, topic)
    actions = ["sns:Publish"]
    allow(role, actions, topic.topic_arn)
    open_to_account(topic, topic.topic_arn, role, actions, topic.topic_arn)
    if topic.master_key is not None:
        allow_key(role, topic.master_key, ["kms:Decrypt", "kms:GenerateDataKey"])


@jsii.implements(events.IRuleTarget)
class _TopicByRole:
    """The CDK's own target goes to another account over an event bus there, and for an imported topic not at all."""

    def __init__(self, topic: sns.ITopic, role: iam.Role, dead_letter_queue: sqs.Queue | None) -> None:
        self._topic = topic
        self._role = role
        self._dead_letter_queue = dead_letter_queue

    def bind(self, rule: IRuleRef, id: str | None = None) -> events.RuleTargetConfig:
        queue = self._dead_letter_queue
        if queue is None:
            return events.RuleTargetConfig(arn=self._topic.topic_arn, role=self._role)
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.rule_ref.rule_arn}},
            )
        )
        return events.RuleTargetConfig(
            arn=self._topic.topic_arn,
            role=self._role,
            dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=queue.queue_arn),
        )


def _of_account(scope: Construct) -> Mapping[str, Any]:
    return {"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}}


def _publish(topic: sns.ITopic, service: str, conditions: Mapping[str, Any] | None) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal(service)],
        actions=["sns:Publish"],
        resources=[topic.topic_arn],
        conditions=conditions,
    )


def _let_use_key(topic: sns.ITopic, service: str, conditions: Mapping[str, Any] | None) -> None:
    key = topic.master_key
    if key is None:
        return
    add_statement(
        key,
        key.key_arn,
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(service)],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],  # in a key's policy: this key
            conditions=conditions,
        ),
    )


def _check_topic(scope: Construct, topic: sns.ITopic) -> None:
    check_topic("alerts_topic", topic)
    # Alarms, rules and the clients of functions and state machines reach topics of their own region alone, of whichever
    # account.
    region = Stack.of(scope).region
    if is_of_other_region(topic, region):
        raise refusal(
            "alerts_topic",
            topic.topic_arn,
            f"a topic of {region}, the region of what notifies it",
            f"make one there, and subscribe to it what should reach {topic.env.region}",
        )
