from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_fargate_sagemaker.notifications import AlertsTopic, SlackNotifier
from tests.constructs.minimal.monitoring import topic


def slack_notifier(stack: cdk.Stack, **given: Any) -> SlackNotifier:
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Webhook", "slack")
    return SlackNotifier(stack, "Slack", **{"topic": topic(stack), "webhook_secret": secret, **given})


def alerts_topic(stack: cdk.Stack, **given: Any) -> AlertsTopic:
    return AlertsTopic(stack, "Alerts", **given)


MINIMAL: dict[str, Callable[..., Any] | str] = {"AlertsTopic": alerts_topic}
