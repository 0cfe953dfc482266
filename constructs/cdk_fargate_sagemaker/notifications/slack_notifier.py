"""Alerts in a Slack channel."""

from typing import Unpack

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .. import _statistics as statistics
from .._allow import allow
from .._interfaces import AnyKey, AnySecret, AnyTopic, check_key, check_secret, check_topic
from .._last_queue import last_queue
from .._metric_options import MetricOptions, with_options
from .._packaged_function import PackagedFunction
from .._readable_help import CallSignature
from .._resource_policy import open_to_account

_READ = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]


class SlackNotifier(Construct):
    """Posts every alert of a topic to a Slack channel.

    INSUFFICIENT_DATA → OK sends no notification: every new alarm makes that transition. The exception is an alarm that
    was in ALARM before it lost its data: the function reads the alarm's history from CloudWatch and reports the
    recovery. Where it cannot read it, as for an alarm of another account, it reports too. Reading the history of
    composite alarms needs a permission on all alarms.

    The function retries while Slack is busy or down; Lambda then retries twice. An alert that still was not posted, or
    that SNS could not deliver to the function, stays in `dead_letter_queue` for 14 days.

    The owner of a topic, secret or key of another account, or of an imported key, must allow this; the app warns with
    the statement to add. AWS's own key of Secrets Manager cannot be used from another account.

    Example:
        ```python
        webhook = secretsmanager.Secret.from_secret_name_v2(self, "Webhook", "slack-webhook")
        notifier = SlackNotifier(self, "Slack", topic=topic, webhook_secret=webhook)
        notifier.metric_undelivered().create_alarm(
            self, "Undelivered", threshold=1, evaluation_periods=1
        )
        ```

    Args:
        topic: whose alerts are posted.
        webhook_secret: holds the URL of Slack's incoming webhook as a plain string. The template carries its ARN alone.
        log_encryption_key: encrypts the function's logs. Default: a key of its own, rotated every year.

    Raises:
        InvalidArgumentError: no topic, no secret, as its name, or no key.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        topic: AnyTopic,
        webhook_secret: AnySecret,
        log_encryption_key: AnyKey | None = None,
    ) -> None:
        super().__init__(scope, id)
        check_topic("topic", topic)
        check_secret("webhook_secret", webhook_secret)
        if log_encryption_key is not None:
            check_key("log_encryption_key", log_encryption_key)
        self._dead_letter_queue = last_queue(self, "DeadLetters")
        packaged = PackagedFunction(
            self,
            "Notifier",
            name="slack_notifier",
            description="Posts every alert to Slack",
            # Its own retries end after 45 s; the other seconds are for start-up and reading the secret.
            timeout=Duration.seconds(60),
            log_encryption_key=log_encryption_key,
            environment={"SLACK_WEBHOOK_SECRET_ARN": webhook_secret.secret_arn},
            dead_letter_queue=self._dead_letter_queue,
        )
        self._function: lambda_.Function = packaged.function
        webhook_secret.grant_read(packaged.role).assert_success()
        open_to_account(webhook_secret, webhook_secret.secret_arn, packaged.role, _READ, "*")
        if webhook_secret.encryption_key is not None:
            secret_key = webhook_secret.encryption_key
            open_to_account(secret_key, secret_key.key_arn, packaged.role, ["kms:Decrypt"], "*")
        allow(
            packaged.role,
            ["cloudwatch:DescribeAlarmHistory"],
            "*",
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
            wildcard_reason="CloudWatch allows reading the history of composite alarms only on all resources; "
            "the actions for X-Ray traces support no resource-level permissions.",
        )
        # The deployment's own role subscribes.
        open_to_account(topic, topic.topic_arn, packaged.role, ["sns:Subscribe"], topic.topic_arn)
        topic.add_subscription(
            subscriptions.LambdaSubscription(self._function, dead_letter_queue=self._dead_letter_queue)
        )

    @property
    def dead_letter_queue(self) -> sqs.Queue:
        """The alerts that were not delivered, for 14 days."""
        return self._dead_letter_queue

    @property
    def function(self) -> lambda_.Function:
        """The function that posts to Slack."""
        return self._function

    def metric_undelivered(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """How many alerts wait undelivered (maximum over one minute); above 0 an alert did not reach Slack."""
        metric = self._dead_letter_queue.metric_approximate_number_of_messages_visible(
            period=Duration.minutes(1), statistic=statistics.MAXIMUM
        )
        return with_options(metric, options)
