"""Services that publish to a topic as a service, without a role: CloudWatch alarms and EventBridge rules.

The first statement that is added to a topic's policy replaces SNS's default policy, which allows the whole account to
publish. A rule's target needs a statement, so alarms on the topic would be silent without a statement of their own.
Roles of the account use their own policies. Any other service that relied on SNS's default policy needs a statement
too.
"""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import jsii
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
from ._construct_tree import account_of, region_of
from ._inline_policy import acknowledge_inline_policy
from ._interfaces import check_topic
from ._key_use import ENVELOPE_KEY_USE, allow_key
from ._resource_policy import add_statement, is_of_other_region, open_to_account

_ALARMS = "cloudwatch.amazonaws.com"
_RULES = "events.amazonaws.com"


def let_alarms_publish(scope: Construct, topic: sns.ITopic) -> None:
    """Allows CloudWatch alarms in the account of `scope` to publish to `topic` and use its key."""
    if not _is_first(topic, _ALARMS, account_of(scope)):
        return
    conditions = _of_account(scope)
    add_statement(topic, topic.topic_arn, _publish(topic, _ALARMS, conditions))
    _let_use_key(topic, _ALARMS, conditions)


def let_rules_publish(scope: Construct, topic: sns.ITopic) -> None:
    """Allows EventBridge rules to publish to `topic` and use its key, and keeps that allowed for alarms.

    The statement has no condition: with an encrypted topic, EventBridge supports none of aws:SourceAccount,
    aws:SourceArn and aws:SourceOrgID (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
    """
    if not _is_first(topic, _RULES, account_of(scope)):
        return
    if add_statement(topic, topic.topic_arn, _publish(topic, _RULES, None)):
        # This replaced SNS's default policy. The topic may have alarms that are not known here.
        topic.add_to_resource_policy(_publish(topic, _ALARMS, _of_account(scope)))
    _let_use_key(topic, _RULES, None)


# By topic, the services of an account that may publish: a statement that is there takes ten calls to JavaScript.
_PUBLISHERS: WeakKeyDictionary[sns.ITopic, set[tuple[str, str]]] = WeakKeyDictionary()


def _is_first(topic: sns.ITopic, service: str, account: str) -> bool:
    publishers = _PUBLISHERS.setdefault(topic, set())
    if (service, account) in publishers:
        return False
    publishers.add((service, account))
    return True


def alarm_action(scope: Construct, topic: sns.ITopic) -> cloudwatch_actions.SnsAction:
    """The action with which an alarm in `scope` notifies `topic`; the topic allows it.

    Raises:
        InvalidArgumentError: a value that is not a topic, or a topic of another region.
    """
    _check_topic(scope, topic)
    let_alarms_publish(scope, topic)
    return cloudwatch_actions.SnsAction(topic)


def rule_target(
    scope: Construct, id: str, topic: sns.ITopic, *, dead_letter_queue: sqs.Queue | None = None
) -> events.IRuleTarget:
    """The target of a rule in `scope` that notifies `topic`.

    EventBridge publishes as a service to a topic of the same account. It takes the role `id` for a topic that belongs,
    or may belong, to another account
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html).

    Raises:
        InvalidArgumentError: a value that is not a topic, or a topic of another region.
    """
    _check_topic(scope, topic)
    if topic.env.account == account_of(scope):
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
    """Allows `role` to publish to `topic`, without the kms:GenerateDataKey* of grant_publish: one action is enough.

    Raises:
        InvalidArgumentError: a value that is not a topic, or a topic of another region.
    """
    _check_topic(role, topic)
    actions = ["sns:Publish"]
    allow(role, actions, topic.topic_arn)
    open_to_account(topic, topic.topic_arn, role, actions, topic.topic_arn)
    if topic.master_key is not None:
        allow_key(role, topic.master_key, ENVELOPE_KEY_USE)


@jsii.implements(events.IRuleTarget)
class _TopicByRole:
    """A topic in another account. The CDK's own target needs an event bus there, and supports no imported topic."""

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
    return {"StringEquals": {"aws:SourceAccount": account_of(scope)}}


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
            resources=["*"],  # in a key's policy, this means the key
            conditions=conditions,
        ),
    )


def _check_topic(scope: Construct, topic: sns.ITopic) -> None:
    check_topic("alerts_topic", topic)
    # Alarms, rules, functions and state machines publish only to topics of their own region, in any account.
    region = region_of(scope)
    if is_of_other_region(topic, region):
        raise refusal(
            "alerts_topic",
            topic.topic_arn,
            f"a topic of {region}, the region of what notifies it",
            f"make one there, and subscribe to it what should reach {topic.env.region}",
        )
