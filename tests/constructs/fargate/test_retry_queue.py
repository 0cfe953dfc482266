import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.fargate import RetryQueue


def test_what_fails_too_often_goes_to_the_dead_letter_queue(stack: cdk.Stack) -> None:
    retry = RetryQueue(stack, "Unscored", max_receives=7)
    Template.from_stack(stack).has_resource_properties(
        "AWS::SQS::Queue",
        {
            "RedrivePolicy": {
                "deadLetterTargetArn": stack.resolve(retry.dead_letter_queue.queue_arn),
                "maxReceiveCount": 7,
            },
            "MessageRetentionPeriod": 14 * 24 * 3600,
            "SqsManagedSseEnabled": True,
        },
    )


def test_both_queues_stay_with_what_they_hold_and_take_tls_alone(stack: cdk.Stack) -> None:
    RetryQueue(stack, "Unscored")
    template = Template.from_stack(stack)
    template.all_resources("AWS::SQS::Queue", {"DeletionPolicy": "RetainExceptOnCreate"})
    template.resource_count_is("AWS::SQS::Queue", 2)
    template.all_resources_properties(
        "AWS::SQS::QueuePolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [Match.object_like({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}})]
                )
            }
        },
    )


def test_a_message_that_was_given_up_is_told(stack: cdk.Stack) -> None:
    topic = sns.Topic(stack, "Alerts")
    retry = RetryQueue(stack, "Unscored", alerts_topic=topic)
    told = [stack.resolve(topic.topic_arn)]
    Template.from_stack(stack).has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": stack.resolve(retry.dead_letter_queue.queue_name)}],
            "Threshold": 1,
            "AlarmActions": told,
            "OKActions": told,
        },
    )


def test_use_is_of_the_queue_and_not_of_what_was_given_up(stack: cdk.Stack) -> None:
    retry = RetryQueue(stack, "Unscored")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    retry.grant_use(role)
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    actions = {action for statement in statements for action in statement["Action"]}
    assert {"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"} <= actions
    assert {str(statement["Resource"]) for statement in statements} == {str(stack.resolve(retry.queue.queue_arn))}


@pytest.mark.parametrize("max_receives", [0, -1, 1001])
def test_refuses_what_sqs_does_not_allow(max_receives: int) -> None:
    with pytest.raises(ValueError, match=rf"max_receives: got {max_receives}, allowed: a whole number, 1 to 1000"):
        RetryQueue(cdk.Stack(cdk.App(), "Stack"), "Unscored", max_receives=max_receives)


@pytest.mark.parametrize("own_key", [False, True])
def test_a_reason_for_the_managed_key_stands_only_where_it_is_used(stack: cdk.Stack, own_key: bool) -> None:
    RetryQueue(stack, "Unscored", encryption_key=kms.Key(stack, "Key") if own_key else None)
    queues = Template.from_stack(stack).find_resources("AWS::SQS::Queue").values()
    skips = [queue.get("Metadata", {}).get("checkov", {}).get("skip", []) for queue in queues]
    explained = [[skip["id"] for skip in skipped] for skipped in skips]
    assert explained == ([[], []] if own_key else [["CKV_AWS_27"], ["CKV_AWS_27"]])
