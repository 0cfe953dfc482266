"""A queue of work that could not be done in time, with retries and a dead-letter queue."""

from typing import Unpack

from aws_cdk import Duration, Names, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .. import _statistics as statistics
from .._acknowledgment import Acknowledgment, acknowledge
from .._checks import check_duration, check_number
from .._interfaces import AnyKey, AnyTopic, check_key, check_topic, checked_grantee
from .._lives import check_removal_policy
from .._managed_queue_key import explain_managed_key
from .._metric_options import MetricOptions, with_options
from .._number_token import number_text
from .._readable_help import CallSignature, readable
from .._resource_policy import open_to_account
from .._topic_publishers import alarm_action

_MOST_RECEIVES = 1000  # SQS's limit of maxReceiveCount
_MINUTE = Duration.minutes(1)
_STUCK_AFTER = readable(Duration.minutes(30))
# The longest time of an alarm whose period is less than an hour:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
_LONGEST_LOOK_BACK = Duration.days(1)
_LONGEST_RETENTION = Duration.days(14)
_NO_KEY_OF_YOURS = (
    "with a customer key (the option encryption_key), the service would lose its work if KMS denied it the key."
)
# The actions of the CDK's own grants on a queue.
_KEY_USE = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]


class RetryQueue(Construct):
    """An SQS queue for a service's unfinished work, with a dead-letter queue and alarms on both.

    A service that cannot finish a request in time sends it here and takes it again later. A message that was received
    `max_receives` times and never deleted moves to `dead_letter_queue`. Messages stay for 14 days in each queue; SQS
    counts them from when they were first sent, so one that fails for long has less time in the second.

    `stuck` is in ALARM when messages waited for `stuck_after` and none was processed, whether nothing receives them or
    their processing fails. `given_up` is in ALARM when the dead-letter queue has a message.

    Args:
        max_receives: 1 to 1000. Default: 100: about a day for a service that lengthens the visibility timeout with each
            failure, up to 15 minutes.
        encryption_key: encrypts the messages. The owner of a key of another account must allow this account; the app
            warns with the statement to add. Default: a key that SQS manages, free of charge.
        stuck_after: alarm when messages wait and none is processed for this long: whole minutes, up to a day. Default:
            30 minutes.
        alerts_topic: is notified when an alarm fires and when it is over. The owner of an imported topic must allow
            alarms to publish; the app warns with the statement to add. Default: alarms notify nobody.
        removal_policy: what happens to the queues when the stack is deleted. Default: they are kept, with their
            messages.

    Raises:
        InvalidArgumentError: `max_receives` that SQS does not allow, a time longer than CloudWatch evaluates, or a
            topic of another region.

    Example:
        ```python
        unfinished = RetryQueue(self, "Unfinished", max_receives=20, alerts_topic=topic)
        unfinished.grant_use(web)
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        max_receives: int = 100,
        stuck_after: Duration = _STUCK_AFTER,
        encryption_key: AnyKey | None = None,
        alerts_topic: AnyTopic | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        check_number("max_receives", max_receives, at_least=1, at_most=_MOST_RECEIVES, whole=True)
        check_duration("stuck_after", stuck_after, at_least=_MINUTE, at_most=_LONGEST_LOOK_BACK, whole="minutes")
        if encryption_key is not None:
            check_key("encryption_key", encryption_key)
        if alerts_topic is not None:
            check_topic("alerts_topic", alerts_topic)
        check_removal_policy(removal_policy)
        encryption = sqs.QueueEncryption.KMS if encryption_key else sqs.QueueEncryption.SQS_MANAGED
        self._dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=encryption,
            encryption_master_key=encryption_key,
            enforce_ssl=True,
            retention_period=_LONGEST_RETENTION,
            removal_policy=removal_policy,
        )
        acknowledge(
            self._dead_letters,
            Acknowledgment(
                id="Serverless-SQSRedrivePolicy",
                reason="It is the dead-letter queue itself; a person reads its messages.",
            ),
        )
        self._queue = sqs.Queue(
            self,
            "Queue",
            encryption=encryption,
            encryption_master_key=encryption_key,
            enforce_ssl=True,
            retention_period=_LONGEST_RETENTION,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self._dead_letters, max_receive_count=max_receives),
            removal_policy=removal_policy,
        )
        if encryption_key is None:
            for queue in (self._dead_letters, self._queue):
                explain_managed_key(queue, rather=_NO_KEY_OF_YOURS)
        self._given_up = cloudwatch.Alarm(
            self,
            "GivenUp",
            alarm_name=Names.unique_resource_name(self, max_length=200, separator="-") + "-GivenUp",
            alarm_description=f"a message was received {max_receives} times without success; it is in the dead-letter "
            "queue",
            metric=self._dead_letters.metric_approximate_number_of_messages_visible(
                period=_MINUTE, statistic=statistics.MAXIMUM
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        self._stuck = self._make_stuck(stuck_after.to_minutes())
        if alerts_topic is not None:
            action = alarm_action(self, alerts_topic)
            for alarm in (self._given_up, self._stuck):
                alarm.add_alarm_action(action)
                alarm.add_ok_action(action)

    @property
    def queue(self) -> sqs.Queue:
        """The queue that the service sends to and receives from."""
        return self._queue

    @property
    def dead_letter_queue(self) -> sqs.Queue:
        """Messages whose processing failed too often; redrive them in SQS once the cause is fixed."""
        return self._dead_letters

    @property
    def given_up(self) -> cloudwatch.Alarm:
        """In ALARM while the dead-letter queue has a message."""
        return self._given_up

    @property
    def stuck(self) -> cloudwatch.Alarm:
        """In ALARM when messages wait and none is processed."""
        return self._stuck

    def grant_use(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allows `grantee` to send, receive and delete messages of the queue, not of the dead-letter queue.

        Args:
            grantee: the principal, such as the `ScaledFargateService` that uses the queue.
        """
        checked_grantee(grantee)
        key = self._queue.encryption_master_key
        if key is not None:
            open_to_account(key, key.key_arn, grantee, _KEY_USE, "*")
        return self._queue.grant_send_messages(grantee).combine(self._queue.grant_consume_messages(grantee))

    def metric_waiting(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """How many messages wait for another attempt (maximum over one minute).

        Args:
            options: those of the CDK's metrics.
        """
        waiting = self._queue.metric_approximate_number_of_messages_visible(
            period=_MINUTE, statistic=statistics.MAXIMUM
        )
        return with_options(waiting, options)

    def metric_oldest(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """How long the oldest message has waited, in seconds (maximum over one minute).

        Args:
            options: those of the CDK's metrics.
        """
        oldest = self._queue.metric_approximate_age_of_oldest_message(period=_MINUTE, statistic=statistics.MAXIMUM)
        return with_options(oldest, options)

    def _make_stuck(self, minutes: float) -> cloudwatch.Alarm:
        # The age of the oldest message does not work: SQS excludes messages that were received three times.
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        return cloudwatch.Alarm(
            self,
            "Stuck",
            alarm_name=Names.unique_resource_name(self, max_length=200, separator="-") + "-Stuck",
            alarm_description=f"messages wait in the queue, and none was processed for {number_text(minutes)} minutes",
            metric=cloudwatch.MathExpression(
                expression="IF(FILL(visible, 0) + FILL(hidden, 0) > 0 AND FILL(deleted, 0) == 0, 1, 0)",
                using_metrics={
                    "visible": self.metric_waiting(),
                    "hidden": self._queue.metric_approximate_number_of_messages_not_visible(
                        period=_MINUTE, statistic=statistics.MAXIMUM
                    ),
                    "deleted": self._queue.metric_number_of_messages_deleted(period=_MINUTE, statistic=statistics.SUM),
                },
                period=_MINUTE,
                label="minutes with messages and none processed",
            ),
            threshold=1,
            evaluation_periods=minutes,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # SQS publishes a queue's metrics only while it is polled or has messages: no data means no work.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
