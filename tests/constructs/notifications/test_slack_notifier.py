import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Match, Template

from cdk_fargate_sagemaker.notifications import AlertsTopic, SlackNotifier
from tests.constructs.read_only import public_attributes


@pytest.fixture(scope="module")
def stack() -> cdk.Stack:
    stack = cdk.Stack(cdk.App(), "Stack")
    SlackNotifier(
        stack,
        "Slack",
        topic=AlertsTopic(stack, "Alerts"),
        webhook_secret=secretsmanager.Secret(stack, "Webhook"),
    )
    return stack


@pytest.fixture(scope="module")
def template(stack: cdk.Stack) -> Template:
    return Template.from_stack(stack)


def test_the_function_is_told_by_the_topic(template: Template) -> None:
    (queue,) = template.find_resources("AWS::SQS::Queue")
    template.has_resource_properties(
        "AWS::SNS::Subscription",
        {
            "Protocol": "lambda",
            "Endpoint": {"Fn::GetAtt": [Match.string_like_regexp("SlackNotifier"), "Arn"]},
            "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": [queue, "Arn"]}},
        },
    )


def test_what_the_function_cannot_tell_is_kept(template: Template) -> None:
    template.has_resource_properties(
        "AWS::SQS::Queue", {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": 14 * 24 * 3600}
    )
    (queue,) = template.find_resources("AWS::SQS::Queue")
    template.has_resource_properties(
        "AWS::Lambda::Function", {"DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": [queue, "Arn"]}}}
    )
    template.has_resource_properties(
        "AWS::SQS::QueuePolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [Match.object_like({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}})]
                )
            }
        },
    )


def test_the_function_is_ours_and_keeps_its_logs_for_a_while(template: Template) -> None:
    (group,) = template.find_resources("AWS::Logs::LogGroup", {"Properties": {"RetentionInDays": 30}})
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Runtime": "python3.13",
            "Architectures": ["arm64"],
            "Handler": "slack_notifier.handler",
            "Timeout": 60,
            "MemorySize": 256,
            "LoggingConfig": {"LogGroup": {"Ref": group}},
        },
    )


def test_the_function_may_do_six_things(template: Template) -> None:
    template.has_resource_properties("AWS::IAM::Role", {"ManagedPolicyArns": Match.absent()})
    (policy,) = template.find_resources("AWS::IAM::Policy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    actions = {
        action for s in statements for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
    }
    assert actions == {
        "cloudwatch:DescribeAlarmHistory",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "secretsmanager:GetSecretValue",
        "secretsmanager:DescribeSecret",
        "sqs:SendMessage",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
    unlimited = [statement["Action"] for statement in statements if "*" in json.dumps(statement["Resource"])]
    # CloudWatch answers for composite alarms to a permission on all alone.
    assert unlimited == [["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "cloudwatch:DescribeAlarmHistory"]


def test_the_functions_logs_are_encrypted_and_it_is_traced(template: Template) -> None:
    (key,) = template.find_resources("AWS::KMS::Key", {"Properties": {"Description": Match.string_like_regexp("Logs")}})
    template.has_resource_properties("AWS::Logs::LogGroup", {"KmsKeyId": {"Fn::GetAtt": [key, "Arn"]}})
    template.has_resource_properties("AWS::Lambda::Function", {"TracingConfig": {"Mode": "Active"}})


def test_a_key_that_is_given_encrypts_the_logs() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    alerts = AlertsTopic(stack, "Alerts")
    webhook = secretsmanager.Secret.from_secret_name_v2(stack, "Webhook", "slack")
    SlackNotifier(stack, "Slack", topic=alerts, webhook_secret=webhook, log_encryption_key=alerts.encryption_key)
    template = Template.from_stack(stack)
    (key,) = template.find_resources("AWS::KMS::Key")
    template.has_resource_properties("AWS::Logs::LogGroup", {"KmsKeyId": {"Fn::GetAtt": [key, "Arn"]}})
    template.has_resource_properties(
        "AWS::KMS::Key",
        {
            "KeyPolicy": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Principal": {
                                    "Service": {
                                        "Fn::Join": [
                                            "",
                                            ["logs.", {"Ref": "AWS::Region"}, ".", {"Ref": "AWS::URLSuffix"}],
                                        ]
                                    }
                                }
                            }
                        )
                    ]
                )
            }
        },
    )


def test_the_template_carries_the_secrets_arn_alone(template: Template) -> None:
    (secret,) = template.find_resources("AWS::SecretsManager::Secret")
    template.has_resource_properties(
        "AWS::Lambda::Function", {"Environment": {"Variables": {"SLACK_WEBHOOK_SECRET_ARN": {"Ref": secret}}}}
    )
    assert "resolve:secretsmanager" not in json.dumps(template.to_json())


def test_undelivered_alerts_can_be_alarmed_on(stack: cdk.Stack) -> None:
    notifier = stack.node.find_child("Slack")
    assert isinstance(notifier, SlackNotifier)
    metric = notifier.metric_undelivered()
    assert (metric.metric_name, metric.statistic) == ("ApproximateNumberOfMessagesVisible", "Maximum")
    assert metric.period.to_seconds() == 60


def test_no_attribute_can_be_overwritten(stack: cdk.Stack) -> None:
    notifier = stack.node.find_child("Slack")
    assert isinstance(notifier, SlackNotifier)
    assert public_attributes(notifier) == []
    with pytest.raises(AttributeError):
        notifier.function = None  # type: ignore[misc, assignment]  # a checker refuses it too
