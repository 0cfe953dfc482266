import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.notifications import AlertsTopic


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


@pytest.mark.parametrize("service", ["cloudwatch.amazonaws.com", "events.amazonaws.com"])
def test_alarms_and_events_of_this_account_may_publish(template: Template, service: str) -> None:
    condition = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    for resource, policy, actions in (
        ("AWS::SNS::TopicPolicy", "PolicyDocument", "sns:Publish"),
        ("AWS::KMS::Key", "KeyPolicy", ["kms:Decrypt", "kms:GenerateDataKey*"]),
    ):
        statement = {"Action": actions, "Principal": {"Service": service}, "Condition": condition}
        template.has_resource_properties(
            resource, {policy: {"Statement": Match.array_with([Match.object_like(statement)])}}
        )


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
    assert AlertsTopic(stack, "Alerts", encryption_key=key).encryption_key is key
    Template.from_stack(stack).resource_count_is("AWS::KMS::Key", 1)
