"""Alarms and rules on a topic that the app's owner made, or that another account owns."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import RetryQueue
from cdk_fargate_sagemaker.monitoring import EndpointAlarms, ReviewAlarms, ServiceAlarms, WorkflowAlarms
from cdk_fargate_sagemaker.review import ReviewQueue
from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointMetrics,
    ModelImage,
    ModelReleaseWorkflow,
    TrainingJob,
)
from tests.constructs.policies import (
    ACCOUNT,
    REGION,
    identical_statements,
    key_policies,
    may,
    missing_statements,
    topic_policies,
)

OTHER_ACCOUNT = "444455556666"
OTHER_TOPIC = f"arn:aws:sns:{REGION}:{OTHER_ACCOUNT}:alerts"
OTHER_KEY = f"arn:aws:kms:{REGION}:{OTHER_ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
THIS_ACCOUNT = {"SourceAccount": ACCOUNT}


def service(scope: cdk.Stack) -> ecs.IService:
    cluster = ecs.Cluster.from_cluster_arn(scope, "Cluster", f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/shop")
    return ecs.FargateService.from_fargate_service_attributes(scope, "Service", cluster=cluster, service_name="shop")


def workflow(scope: cdk.Stack, topic: sns.ITopic) -> ModelReleaseWorkflow:
    image = ModelImage.from_ecr_repository(ecr.Repository.from_repository_name(scope, "Images", "models"), "1")
    return ModelReleaseWorkflow(
        scope,
        "Release",
        endpoint_name="moderation",
        train=TrainingJob(image=image),
        inference_image=image,
        data_bucket=s3.Bucket.from_bucket_name(scope, "Posts", "posts"),
        alerts_topic=topic,
    )


def service_alarms(scope: cdk.Stack, topic: sns.ITopic) -> None:
    ServiceAlarms(scope, "Alarms", service=service(scope), alerts_topic=topic)


def endpoint_alarms(scope: cdk.Stack, topic: sns.ITopic) -> None:
    metrics = EndpointMetrics(endpoint_name="moderation", configuration=EndpointConfiguration())
    EndpointAlarms(scope, "Alarms", endpoint=metrics, alerts_topic=topic)


def workflow_alarms(scope: cdk.Stack, topic: sns.ITopic) -> None:
    WorkflowAlarms(scope, "Alarms", workflow=workflow(scope, topic), alerts_topic=topic)


def review_alarms(scope: cdk.Stack, topic: sns.ITopic) -> None:
    reviews = ReviewQueue(scope, "Reviews")
    ReviewAlarms(scope, "Alarms", reviews=reviews, namespace="Api", service_name="forum", alerts_topic=topic)


def retry_queue(scope: cdk.Stack, topic: sns.ITopic) -> None:
    RetryQueue(scope, "Queue", alerts_topic=topic)


def all_of_them(scope: cdk.Stack, topic: sns.ITopic) -> None:
    releases = workflow(scope, topic)
    WorkflowAlarms(scope, "WorkflowAlarms", workflow=releases, alerts_topic=topic)
    ServiceAlarms(scope, "ServiceAlarms", service=service(scope), alerts_topic=topic)
    RetryQueue(scope, "Queue", alerts_topic=topic)


Add = Callable[[cdk.Stack, sns.ITopic], Any]
WITH_ALARMS = [service_alarms, endpoint_alarms, workflow_alarms, review_alarms, retry_queue, all_of_them]
WITH_RULES = [service_alarms, workflow, all_of_them]


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))


@pytest.mark.parametrize("add", WITH_ALARMS)
def test_every_alarm_on_somebodys_own_topic_still_arrives(stack: cdk.Stack, add: Add) -> None:
    topic = sns.Topic(stack, "Topic", master_key=kms.Key(stack, "Key"))
    add(stack, topic)
    template = Template.from_stack(stack)
    (policy,) = topic_policies(template)
    key_policy = next(policy for policy in key_policies(template) if "cloudwatch" in str(policy))
    (name,) = template.find_resources("AWS::SNS::Topic")
    assert may(policy, "cloudwatch.amazonaws.com", "sns:Publish", name, **THIS_ACCOUNT)
    assert not may(policy, "cloudwatch.amazonaws.com", "sns:Publish", name, SourceAccount=OTHER_ACCOUNT)
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert may(key_policy, "cloudwatch.amazonaws.com", action, "key", **THIS_ACCOUNT)
        assert not may(key_policy, "cloudwatch.amazonaws.com", action, "key", SourceAccount=OTHER_ACCOUNT)


@pytest.mark.parametrize("add", WITH_RULES)
def test_every_rule_on_somebodys_own_topic_arrives(stack: cdk.Stack, add: Add) -> None:
    topic = sns.Topic(stack, "Topic", master_key=kms.Key(stack, "Key"))
    add(stack, topic)
    template = Template.from_stack(stack)
    (policy,) = topic_policies(template)
    key_policy = next(policy for policy in key_policies(template) if "events.amazonaws.com" in str(policy))
    (name,) = template.find_resources("AWS::SNS::Topic")
    assert may(policy, "events.amazonaws.com", "sns:Publish", name)
    assert all(
        may(key_policy, "events.amazonaws.com", action, "key") for action in ("kms:Decrypt", "kms:GenerateDataKey")
    )


def test_an_alarm_of_the_user_is_not_silenced_by_a_rule(stack: cdk.Stack) -> None:
    topic = sns.Topic(stack, "Topic")
    workflow(stack, topic)
    (policy,) = topic_policies(Template.from_stack(stack))
    (name,) = Template.from_stack(stack).find_resources("AWS::SNS::Topic")
    assert may(policy, "cloudwatch.amazonaws.com", "sns:Publish", name, **THIS_ACCOUNT)


def test_each_service_is_let_in_once(stack: cdk.Stack) -> None:
    topic = sns.Topic(stack, "Topic", master_key=kms.Key(stack, "Key"))
    all_of_them(stack, topic)
    template = Template.from_stack(stack)
    for policy in (*topic_policies(template), *key_policies(template)):
        assert identical_statements(policy) == []
    (policy,) = topic_policies(template)
    assert len(policy["Statement"]) == 2
    assert missing_statements(stack) == {}


def test_an_imported_topic_of_this_account_is_warned_about_with_the_statements_it_needs(stack: cdk.Stack) -> None:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
    all_of_them(stack, sns.Topic.from_topic_arn(stack, "Topic", arn))
    of_topic = missing_statements(stack)["/Stack/Topic"]
    assert len(of_topic) == 2
    cloudwatch_statement = (
        '{"Action": ["sns:Publish"], "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}, '
        '"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, '
        f'"Resource": "{arn}"}}'
    )
    assert any(cloudwatch_statement in warning for warning in of_topic)
    # The roles of this account need nothing: their own policies let them.
    assert not any('"AWS"' in warning for warning in of_topic)


def test_a_topic_of_another_account_is_reached_by_a_role(stack: cdk.Stack) -> None:
    topic = sns.Topic.from_topic_attributes(stack, "Topic", topic_arn=OTHER_TOPIC, key_arn=OTHER_KEY)
    all_of_them(stack, topic)
    template = Template.from_stack(stack)
    rules = [
        target
        for rule in template.find_resources("AWS::Events::Rule").values()
        for target in rule["Properties"]["Targets"]
        if target["Arn"] == OTHER_TOPIC
    ]
    assert len(rules) == 3
    for target in rules:
        role, attribute = target["RoleArn"]["Fn::GetAtt"]
        assert attribute == "Arn"
        template.has_resource_properties(
            "AWS::IAM::Policy",
            {
                "Roles": [{"Ref": role}],
                "PolicyDocument": {
                    "Statement": [
                        {"Action": "sns:Publish", "Effect": "Allow", "Resource": OTHER_TOPIC},
                        {"Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Effect": "Allow", "Resource": OTHER_KEY},
                    ]
                },
            },
        )
    # What the rules of the workflow cannot deliver is kept in one queue, as with a topic of the same account.
    kept = [target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"] for target in rules if "DeadLetterConfig" in target]
    assert len(kept) == 2
    ((queue, _),) = {tuple(arn) for arn in kept}
    (rule,) = (name for name in template.find_resources("AWS::Events::Rule") if "UnfinishedExecutions" in name)
    template.has_resource_properties(
        "AWS::SQS::QueuePolicy",
        {
            "Queues": [{"Ref": queue}],
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Action": "sqs:SendMessage",
                                "Principal": {"Service": "events.amazonaws.com"},
                                "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}},
                            }
                        )
                    ]
                )
            },
        },
    )


def test_another_account_is_asked_for_what_its_topic_and_key_need_once(stack: cdk.Stack) -> None:
    topic = sns.Topic.from_topic_attributes(stack, "Topic", topic_arn=OTHER_TOPIC, key_arn=OTHER_KEY)
    all_of_them(stack, topic)
    found = missing_statements(stack)
    assert sorted(found) == ["/Stack/Topic", "/Stack/Topic/Key"]
    of_roles = f'"Principal": {{"AWS": "arn:aws:iam::{ACCOUNT}:root"}}'
    for path in found:
        assert len(found[path]) == 2
        assert sum(of_roles in warning for warning in found[path]) == 1
        assert sum('"cloudwatch.amazonaws.com"' in warning for warning in found[path]) == 1
        assert not any('"events.amazonaws.com"' in warning for warning in found[path])


def test_a_topic_that_may_be_of_another_account_is_reached_by_a_role_too() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    workflow(stack, sns.Topic.from_topic_arn(stack, "Topic", OTHER_TOPIC))
    Template.from_stack(stack).has_resource_properties(
        "AWS::Events::Rule", {"Targets": [Match.object_like({"Arn": OTHER_TOPIC, "RoleArn": Match.any_value()})]}
    )


@pytest.mark.parametrize("add", [*WITH_ALARMS, workflow])
def test_fails_when_the_topic_is_of_another_region(stack: cdk.Stack, add: Add) -> None:
    topic = sns.Topic.from_topic_arn(stack, "Topic", f"arn:aws:sns:us-east-1:{ACCOUNT}:alerts")
    with pytest.raises(
        ValueError,
        match=f"^alerts_topic: got 'arn:aws:sns:us-east-1:{ACCOUNT}:alerts', allowed: a topic of eu-central-1, the "
        "region of what notifies it; make one there, and subscribe to it what should reach us-east-1$",
    ):
        add(stack, topic)


def test_awss_own_key_is_not_asked_for_a_statement(stack: cdk.Stack) -> None:
    topic = sns.Topic(stack, "Topic", master_key=kms.Alias.from_alias_name(stack, "Key", "alias/aws/sns"))
    endpoint_alarms(stack, topic)
    (warning,) = missing_statements(stack)["/Stack/Key"]
    assert warning.startswith(
        f"nobody can change the policy of arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/sns: use a key of your own, whose "
        "policy has {"
    )


def test_the_alarm_notifies_the_topic(stack: cdk.Stack) -> None:
    topic = sns.Topic.from_topic_arn(stack, "Topic", OTHER_TOPIC)
    queue = RetryQueue(stack, "Queue", alerts_topic=topic)
    assert isinstance(queue.given_up, cloudwatch.Alarm)
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm", {"AlarmActions": [OTHER_TOPIC], "OKActions": [OTHER_TOPIC]}
    )
