"""The rules of AWS's documentation about the permissions of services and their roles, each with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingRule:
    """A row of the table."""

    checked: date  # the date when the source was last read
    who: str
    sentence: str
    source: str  # a page of AWS's documentation


_CHECKED = date(2026, 11, 26)
_DOCS = "https://docs.aws.amazon.com"
_SAGEMAKER = f"{_DOCS}/sagemaker/latest/dg"
_LAMBDA = f"{_DOCS}/lambda/latest/dg"
_ECS = f"{_DOCS}/AmazonECS/latest/developerguide"
_EVENTS = f"{_DOCS}/eventbridge/latest/userguide"
_SNS = f"{_DOCS}/sns/latest/dg"
_STATES = f"{_DOCS}/step-functions/latest/dg"


def _row(who: str, sentence: str, source: str) -> ActingRule:
    return ActingRule(checked=_CHECKED, who=who, sentence=sentence, source=source)


ACTING_RULES: Mapping[str, ActingRule] = MappingProxyType(
    {
        "sagemaker_logs": _row(
            "execution role",
            "a job or model writes its logs in its execution role",
            f"{_SAGEMAKER}/sagemaker-roles.html",
        ),
        "sagemaker_metrics": _row(
            "execution role",
            "a job or model publishes its instances' metrics in its execution role",
            f"{_SAGEMAKER}/sagemaker-roles.html",
        ),
        "sagemaker_image": _row(
            "execution role",
            "a job or model pulls its image from Amazon ECR in its execution role",
            f"{_SAGEMAKER}/sagemaker-roles.html",
        ),
        "sagemaker_data": _row(
            "execution role",
            "a job or model reads and writes S3 in its execution role",
            f"{_SAGEMAKER}/sagemaker-roles.html",
        ),
        "sagemaker_output_key": _row(
            "execution role",
            "a job's output with a KmsKeyId is encrypted in its execution role",
            f"{_SAGEMAKER}/sagemaker-roles.html",
        ),
        "sagemaker_vpc": _row(
            "execution role",
            "a job or model in a VPC makes network interfaces in its execution role",
            f"{_SAGEMAKER}/sagemaker-roles.html",
        ),
        "sagemaker_rollback_alarms": _row(
            "execution role",
            "an update that alarms roll back looks at the alarms in the model's execution role",
            f"{_SAGEMAKER}/deployment-guardrails-configuration.html",
        ),
        "sagemaker_capture": _row(
            "execution role",
            "an endpoint that captures data writes them to S3 in the model's execution role",
            f"{_SAGEMAKER}/model-monitor-data-capture.html",
        ),
        "lambda_logs": _row(
            "function's role", "a function writes its logs in its role", f"{_LAMBDA}/lambda-intro-execution-role.html"
        ),
        "lambda_tracing": _row(
            "function's role", "a traced function sends its segments in its role", f"{_LAMBDA}/services-xray.html"
        ),
        "lambda_dead_letter": _row(
            "function's role",
            "an event that failed goes to the dead-letter queue or destination in the function's role",
            f"{_LAMBDA}/invocation-async-retain-records.html",
        ),
        "lambda_vpc": _row(
            "function's role",
            "a function in a VPC makes its network interfaces in its role",
            f"{_LAMBDA}/configuration-vpc.html",
        ),
        "lambda_environment_key": _row(
            "function's role",
            "a function with a customer key decrypts its environment in its role, when no grant lets Lambda do so",
            f"{_LAMBDA}/configuration-envvars-encryption.html",
        ),
        "lambda_queue": _row(
            "function's role",
            "Lambda polls a queue in the function's role",
            f"{_LAMBDA}/services-sqs-configure.html",
        ),
        "lambda_stream": _row(
            "function's role",
            "Lambda reads a table's stream in the function's role",
            f"{_LAMBDA}/services-dynamodb-eventsourcemapping.html",
        ),
        "ecs_image": _row(
            "task execution role", "ECS pulls images in the execution role", f"{_ECS}/task_execution_IAM_role.html"
        ),
        "ecs_logs": _row(
            "task execution role",
            "the awslogs driver writes in the execution role",
            f"{_ECS}/task_execution_IAM_role.html",
        ),
        "ecs_secrets": _row(
            "task execution role",
            "ECS reads the secrets of a definition in the execution role",
            f"{_ECS}/specifying-sensitive-data.html",
        ),
        "ecs_exec": _row("task role", "ECS Exec opens its channels in the task role", f"{_ECS}/task-iam-roles.html"),
        "alarm_topic": _row(
            "cloudwatch.amazonaws.com",
            "an alarm publishes to its topic as CloudWatch, by the topic's policy and its key's",
            f"{_DOCS}/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html",
        ),
        "alarm_function": _row(
            "lambda.alarms.cloudwatch.amazonaws.com",
            "an alarm invokes a function by the function's policy",
            f"{_DOCS}/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html",
        ),
        "topic_queue": _row(
            "sns.amazonaws.com",
            "a topic sends to a queue by the queue's policy and its key's",
            f"{_SNS}/subscribe-sqs-queue-to-sns-topic.html",
        ),
        "topic_encrypted_queue": _row(
            "sns.amazonaws.com",
            "the key of a queue that a topic sends to lets SNS make data keys",
            f"{_SNS}/sns-enable-encryption-for-topic-sqs-queue-subscriptions.html",
        ),
        "topic_function": _row(
            "sns.amazonaws.com",
            "a topic invokes a function by the function's policy",
            f"{_SNS}/lambda-console.html",
        ),
        "topic_dead_letter": _row(
            "sns.amazonaws.com",
            "a message that was not delivered goes to the subscription's queue by the queue's policy",
            f"{_SNS}/sns-configure-dead-letter-queue.html",
        ),
        "rule_role": _row(
            "target's role",
            "a rule starts a state machine, or whatever target has a role, in the target's role",
            f"{_EVENTS}/eb-use-identity-based.html",
        ),
        "rule_resource_policy": _row(
            "events.amazonaws.com",
            "a rule reaches a queue, topic or function without a role by the target's policy",
            f"{_EVENTS}/eb-use-resource-based.html",
        ),
        "rule_encrypted_topic": _row(
            "events.amazonaws.com",
            "EventBridge uses the key of an encrypted topic as itself, and names no source to it",
            f"{_SNS}/sns-key-management.html",
        ),
        "rule_dead_letter": _row(
            "events.amazonaws.com",
            "an event that no target took goes to the dead-letter queue by the queue's policy",
            f"{_EVENTS}/eb-rule-dlq.html",
        ),
        "schedule_role": _row(
            "target's role",
            "a schedule reaches its target, and its dead-letter queue, in its role",
            f"{_DOCS}/scheduler/latest/UserGuide/setting-up.html",
        ),
        "state_machine_logs": _row(
            "state machine's role",
            "a state machine that logs manages its log delivery in its role",
            f"{_STATES}/cw-logs.html",
        ),
        "state_machine_tracing": _row(
            "state machine's role",
            "a traced state machine sends its segments in its role",
            f"{_STATES}/concepts-xray-tracing.html",
        ),
        "log_group_key": _row(
            "logs.<region>.amazonaws.com",
            "CloudWatch Logs uses a log group's key as itself, by the key's policy",
            f"{_DOCS}/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
        ),
        "flow_logs": _row(
            "flow log's role",
            "a flow log writes to its log group in its role",
            f"{_DOCS}/vpc/latest/userguide/flow-logs-iam-role.html",
        ),
        "s3_access_logs": _row(
            "logging.s3.amazonaws.com",
            "a bucket's access logs are written by the policy of the bucket that takes them",
            f"{_DOCS}/AmazonS3/latest/userguide/enable-server-access-logging.html",
        ),
        "balancer_access_logs": _row(
            "logdelivery.elasticloadbalancing.amazonaws.com",
            "a load balancer's access logs are written by the bucket's policy",
            f"{_DOCS}/elasticloadbalancing/latest/application/enable-access-logging.html",
        ),
    }
)
