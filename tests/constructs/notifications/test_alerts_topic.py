import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template

from cdk_fargate_sagemaker.notifications import AlertsTopic
from tests.constructs.policies import ACCOUNT, key_policies, may, topic_policies


@pytest.fixture(scope="module")
def template() -> Template:
    stack = cdk.Stack(cdk.App(), "Stack")
    topic = AlertsTopic(stack, "Alerts", topic_name="alerts")
    role = iam.Role(stack, "Publisher", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
    topic.grant_publish(role)
    return Template.from_stack(stack)


def test_the_topic_is_encrypted_with_a_key_that_is_rotated(template: Template) -> None:
    (key,) = template.find_resources("AWS::KMS::Key", {"Properties": {"EnableKeyRotation": True}})
    template.has_resource_properties(
        "AWS::SNS::Topic", {"TopicName": "alerts", "KmsMasterKeyId": {"Fn::GetAtt": [key, "Arn"]}}
    )


def test_the_topic_refuses_what_does_not_come_by_tls(template: Template) -> None:
    template.has_resource_properties(
        "AWS::SNS::TopicPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Effect": "Deny",
                                "Action": "sns:Publish",
                                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                            }
                        )
                    ]
                )
            }
        },
    )


ALARM = {"SourceAccount": ACCOUNT, "SourceArn": f"arn:aws:cloudwatch:eu-central-1:{ACCOUNT}:alarm:Degraded"}
KEY_USE = ["kms:Decrypt", "kms:GenerateDataKey"]


def test_an_alarm_of_this_account_may_publish_and_one_of_another_may_not(template: Template) -> None:
    (policy,), (key_policy,) = topic_policies(template), key_policies(template)
    (topic,) = template.find_resources("AWS::SNS::Topic")
    for account, expected in ((ACCOUNT, True), ("444455556666", False)):
        context = {**ALARM, "SourceAccount": account}
        assert may(policy, "cloudwatch.amazonaws.com", "sns:Publish", topic, **context) is expected
        for action in KEY_USE:
            assert may(key_policy, "cloudwatch.amazonaws.com", action, "key", **context) is expected


def test_a_rule_may_publish_though_eventbridge_does_not_say_for_which_account(template: Template) -> None:
    (policy,), (key_policy,) = topic_policies(template), key_policies(template)
    (topic,) = template.find_resources("AWS::SNS::Topic")
    assert may(policy, "events.amazonaws.com", "sns:Publish", topic)
    assert all(may(key_policy, "events.amazonaws.com", action, "key") for action in KEY_USE)


def test_no_other_service_may_publish(template: Template) -> None:
    (policy,), (key_policy,) = topic_policies(template), key_policies(template)
    (topic,) = template.find_resources("AWS::SNS::Topic")
    assert not may(policy, "s3.amazonaws.com", "sns:Publish", topic, **ALARM)
    assert not may(key_policy, "s3.amazonaws.com", "kms:Decrypt", "key", **ALARM)


def test_a_rule_on_the_topic_adds_nothing_that_is_there_already() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    AlertsTopic(stack, "Alerts")
    before = (topic_policies(Template.from_stack(stack)), key_policies(Template.from_stack(stack)))
    stack = cdk.Stack(cdk.App(), "Stack")
    alerts = AlertsTopic(stack, "Alerts")
    pattern = events.EventPattern(source=["aws.ecs"])
    events.Rule(stack, "Rule", event_pattern=pattern, targets=[targets.SnsTopic(alerts)])
    after = (topic_policies(Template.from_stack(stack)), key_policies(Template.from_stack(stack)))
    assert after == before


def test_a_publisher_may_use_the_key_too(template: Template) -> None:
    template.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like({"Action": "sns:Publish"}),
                        Match.object_like({"Action": ["kms:Decrypt", "kms:GenerateDataKey*"]}),
                    ]
                )
            }
        },
    )


def test_a_key_that_is_given_is_used() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    key = kms.Key(stack, "Mine")
    assert AlertsTopic(stack, "Alerts", master_key=key).encryption_key is key
    Template.from_stack(stack).resource_count_is("AWS::KMS::Key", 1)


def test_it_is_a_topic_of_the_cdk_wherever_one_is_wanted() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    alerts = AlertsTopic(stack, "Alerts")
    assert isinstance(alerts, sns.Topic)
    alarm = cloudwatch.Alarm(
        stack,
        "Alarm",
        metric=cloudwatch.Metric(namespace="Shop", metric_name="Errors"),
        threshold=1,
        evaluation_periods=1,
    )
    alarm.add_alarm_action(cloudwatch_actions.SnsAction(alerts))
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm", {"AlarmActions": [stack.resolve(alerts.topic_arn)]}
    )


def test_a_grant_that_the_cdk_makes_opens_the_key_too() -> None:
    """The CDK asks the topic, in JavaScript: `grant_publish` is ours there as well."""
    stack = cdk.Stack(cdk.App(), "Stack", env=cdk.Environment(account=ACCOUNT, region="eu-central-1"))
    key = kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-central-1:444455556666:key/central")
    alerts = AlertsTopic(stack, "Alerts", master_key=key)
    function = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        on_failure=destinations.SnsDestination(alerts),
    )
    assert function.role is not None
    warnings = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("kms:GenerateDataKey"))
    assert any('"AWS"' in str(warning.entry.data) for warning in warnings)


def test_the_key_stands_beside_the_topic() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    alerts = AlertsTopic(stack, "Alerts")
    assert (alerts.node.path, alerts.encryption_key.node.path) == ("Stack/Alerts", "Stack/AlertsKey")
    assert alerts.master_key is not None
    assert alerts.master_key.key_arn == alerts.encryption_key.key_arn


def test_neither_topic_nor_key_can_be_overwritten() -> None:
    alerts = AlertsTopic(cdk.Stack(cdk.App(), "Stack"), "Alerts")
    for name in ("encryption_key", "master_key", "topic_arn"):
        with pytest.raises(AttributeError):
            setattr(alerts, name, None)
