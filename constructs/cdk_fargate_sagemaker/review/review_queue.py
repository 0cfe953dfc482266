"""The queue of posts for reviewers, the most probable violations first, with their decisions."""

from collections.abc import Mapping

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from .._acknowledgment import Acknowledgment, acknowledge
from .._allow import allow
from .._checks import check_duration
from .._draw_secret import draw_secret
from .._interfaces import AnyFunction, AnyKey, AnySecret, check_function, check_key, check_secret
from .._key_use import allow_key
from .._last_queue import last_queue
from .._lives import check_removal_policy, is_kept, kept_from_the_start
from .._metric_names import check_namespace
from .._number_token import number_text
from .._packaged_function import PackagedFunction
from .._readable_help import CallSignature, readable
from .._resource_policy import open_to_account
from .i_review_queue import INDEX, MEASURED_EVERY, IReviewQueue, review_environment

_OLDEST_INDEX = "oldest"
_NAMESPACE = "Reviews"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_WINDOW = readable(Duration.days(28))
# The maximum of `measured_window`.
_TTL = readable(Duration.days(90))
_DAILY_QUOTA = 100_000


class ReviewQueue(IReviewQueue):
    """A DynamoDB table of posts for reviewers, with an index in which one query finds the most probable ones that wait.

    A post's key is the hash of its normalised text: it is stored once however often it is sent. While it waits, it is
    in the index `queue`, ordered by probability. A decided post leaves the index, so the index has only waiting posts.
    Each decision is an item of its own beside the post, and is never changed.

    Every five minutes a function computes metrics from counters that the service keeps, without reading posts: how many
    posts wait and how long, decisions per day and their spread over reviewers, precision and recall of flagged posts,
    and reviewers' agreement. Once a day it computes upper bounds of precision and recall, for `ReviewAlarms`. The index
    `oldest` orders waiting posts by the time they were received.

    A random choice with `draw_secret` decides which posts are in the sample, their places in the queue, and which ones
    two reviewers judge. So nobody can write a post that is certain to be chosen or left out. Secrets Manager generates
    the secret; it is in no template and no log.

    The table is billed on demand, encrypted with a customer managed key, and has point-in-time recovery, which a
    release's export of the decisions needs. DynamoDB deletes a post without a decision after `ttl`; decided posts stay,
    because each release trains on them. Beyond `daily_quota` the service stores no more posts until the next day of
    UTC, and its metric `ReviewOverQuota` counts them; `ReviewAlarms` watches it.

    Example:
        ```python
        reviews = ReviewQueue(self, "Reviews", sample_percent=2, daily_quota=20_000)
        reviews.grant_use(web.task_definition.task_role)
        for name, value in reviews.environment.items():
            web.task_definition.default_container.add_environment(name, value)
        for name, secret in reviews.secrets.items():
            web.task_definition.default_container.add_secret(name, secret)
        ```

    Args:
        shards: 1 to 64 parts of the index. DynamoDB writes at most 1,000 rows per second to each, and a post costs
            three (stored, taken, decided on): one part takes about 300 posts per second. A reader asks each part twice.
            More can be added any time; posts of a removed part are no longer found. Default: 1.
        sample_percent: 0 to 100 percent of the posts that were not flagged go to reviewers too, to find missed
            violations and estimate recall. Default: 1.
        second_percent: 0 to 100 percent of the posts are judged by two reviewers, to measure their agreement. Default:
            5.
        lease: how long a post is reserved for the reviewer who took it, 10 seconds to 24 hours. Default: 15 minutes.
        ttl: after how long a post without a decision is deleted, 1 to 3,650 whole days; None for never. Default: 90
            days, the longest that `measured_window` can be.
        daily_quota: how many posts all tasks together store per day of UTC at most, 1 to 100,000,000. It bounds the
            cost of a flood of posts: a post of 10,000 Japanese characters takes 30 write units. Default: 100,000.
        decisions_a_minute: 1 to 6,000 decisions per minute that a reviewer may make, over all tasks. Default: 60.
        measured_window: estimates cover the posts received within this time, 1 to 90 whole days. Default: 28 days.
        metric_namespace: the CloudWatch namespace of the queue's metrics. Default: `Reviews`.
        encryption_key: of the table, the secret and the function's logs. The owner of an imported key must allow
            CloudWatch Logs to use it; the app warns with the statement to add. Default: a new one, rotated yearly.
        removal_policy: what happens to table, secret and key when the stack is deleted. Default: they are kept, and the
            table is protected from deletion.

    Raises:
        InvalidArgumentError: a number that is not in its range.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        shards: int = 1,
        sample_percent: float = 1,
        second_percent: float = 5,
        lease: Duration | None = None,
        ttl: Duration | None = _TTL,
        daily_quota: int = _DAILY_QUOTA,
        decisions_a_minute: int = 60,
        measured_window: Duration = _WINDOW,
        metric_namespace: str = _NAMESPACE,
        encryption_key: AnyKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        longest = Duration.days(90)
        check_duration("measured_window", measured_window, at_least=Duration.days(1), at_most=longest, whole="days")
        check_namespace("metric_namespace", metric_namespace)
        check_removal_policy(removal_policy)
        if encryption_key is not None:
            check_key("encryption_key", encryption_key)
        self._metric_namespace = metric_namespace
        self._encryption_key = encryption_key or kms.Key(
            self,
            "Key",
            description=f"Posts and decisions of {self.node.path}",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        self._table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="post", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="entry", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._encryption_key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires",
            deletion_protection=is_kept(removal_policy),
            removal_policy=kept_from_the_start(removal_policy),
        )
        acknowledge(
            self._table,
            Acknowledgment(
                id="NIST.800.53.R5-DynamoDBInBackupPlan",
                reason="Point-in-time recovery covers the last 35 days; backup plans are up to the account's owner.",
            ),
        )
        # The rows are small: a write costs one unit, and one page of a query reads thousands.
        self._table.add_global_secondary_index(
            index_name=INDEX,
            partition_key=dynamodb.Attribute(name="queue", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="priority", type=dynamodb.AttributeType.NUMBER),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=["lease_until", "leased_by", "first_reviewer"],
        )
        self._table.add_global_secondary_index(
            index_name=_OLDEST_INDEX,
            partition_key=dynamodb.Attribute(name="queue", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="received", type=dynamodb.AttributeType.STRING),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self._draw_secret = draw_secret(
            self,
            "DrawSecret",
            description=f"Secret for the random choice of the posts that reviewers of {self.node.path} get",
            encryption_key=self._encryption_key,
            removal_policy=removal_policy,
        )
        self._environment = review_environment(
            self._table,
            shards=shards,
            sample_percent=sample_percent,
            second_percent=second_percent,
            lease=lease,
            ttl=ttl,
            daily_quota=daily_quota,
            decisions_a_minute=decisions_a_minute,
        )
        self._measures = self._measure(shards, window=measured_window)

    @staticmethod
    def from_review_queue_attributes(
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITable,
        shards: int = 1,
        sample_percent: float = 1,
        second_percent: float = 5,
        lease: Duration | None = None,
        ttl: Duration | None = _TTL,
        daily_quota: int = _DAILY_QUOTA,
        decisions_a_minute: int = 60,
        metric_namespace: str = _NAMESPACE,
        measuring_function: AnyFunction | None = None,
        draw_secret: AnySecret | None = None,
    ) -> IReviewQueue:
        """A review queue that another app made, for a service or a dashboard of this one.

        Args:
            scope: where it is imported.
            id: its id there.
            table: its table, imported with its key: `Table.from_table_attributes(…, encryption_key=…)`.
            shards: as the queue was made with. Default: 1.
            sample_percent: how many of the posts that were not flagged this app's service stores, percent. Default: 1.
            second_percent: how many of the posts two reviewers judge, percent. Default: 5.
            lease: how long a post is reserved for the reviewer who took it. Default: 15 minutes.
            ttl: after how long a post without a decision is deleted; None for never. Default: 90 days.
            daily_quota: how many posts this app's service and others store at most per day of UTC. Default: 100,000.
            decisions_a_minute: how many decisions a reviewer may make in a minute. Default: 60.
            metric_namespace: as the queue was made with. Default: `Reviews`.
            measuring_function: the function that publishes its metrics. Default: unknown, and a dashboard does not show
                its errors.
            draw_secret: its secret, which all services that store posts there must share. Default: unknown, so that a
                service cannot get it.

        Raises:
            InvalidArgumentError: a number that is not in its range, no table, or no secret, as its name.
        """
        check_namespace("metric_namespace", metric_namespace)
        if measuring_function is not None:
            check_function("measuring_function", measuring_function)
        if draw_secret is not None:
            check_secret("draw_secret", draw_secret)
        return _ImportedReviewQueue(
            scope,
            id,
            table=table,
            environment=review_environment(
                table,
                shards=shards,
                sample_percent=sample_percent,
                second_percent=second_percent,
                lease=lease,
                ttl=ttl,
                daily_quota=daily_quota,
                decisions_a_minute=decisions_a_minute,
            ),
            metric_namespace=metric_namespace,
            measuring_function=measuring_function,
            draw_secret=draw_secret,
        )

    @property
    def metric_namespace(self) -> str:
        """The CloudWatch namespace of the queue's metrics."""
        return self._metric_namespace

    @property
    def table(self) -> dynamodb.Table:
        """Posts and decisions; a release exports it (`DynamoDbExport`)."""
        return self._table

    @property
    def encryption_key(self) -> kms.IKey:
        """The key of the table."""
        return self._encryption_key

    @property
    def environment(self) -> dict[str, str]:
        """What the ML API needs in its environment to store posts here; REVIEW_SIGNER, beside it, opens the page."""
        return dict(self._environment)

    @property
    def draw_secret(self) -> secretsmanager.Secret:
        """The secret for the random choice and order of posts."""
        return self._draw_secret

    @property
    def measuring_function(self) -> lambda_.Function:
        """The function that publishes the metrics every five minutes."""
        return self._measures

    def _measure(self, shards: int, *, window: Duration) -> lambda_.Function:
        missed = last_queue(self, "Missed")
        packaged = PackagedFunction(
            self,
            "Measures",
            name="review_measures",
            description=f"Measures {self.node.path}",
            timeout=Duration.minutes(2),
            environment={
                "TABLE_NAME": self._table.table_name,
                "SHARDS": number_text(shards),
                "WINDOW_DAYS": number_text(window.to_days()),
                "METRIC_NAMESPACE": self._metric_namespace,
            },
            dead_letter_queue=missed,
            log_encryption_key=self._encryption_key,
        )
        allow(
            packaged.role,
            ["dynamodb:Query"],
            self._table.table_arn,
            # Only counters, never a post.
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["day#*", "received#*"]}},
        )
        allow(packaged.role, ["dynamodb:Query"], f"{self._table.table_arn}/index/{_OLDEST_INDEX}")
        allow_key(packaged.role, self._encryption_key, ["kms:Decrypt"])
        # The deployment's own role creates the table, with a grant on its key.
        open_to_account(self._encryption_key, self._encryption_key.key_arn, packaged.role, ["kms:CreateGrant"], "*")
        allow(
            packaged.role,
            ["cloudwatch:PutMetricData"],
            "*",
            conditions={"StringEquals": {"cloudwatch:namespace": self._metric_namespace}},
            wildcard_reason="Metrics and X-Ray traces have no ARN; a condition limits the metrics to one namespace.",
        )
        events.Rule(
            self,
            "Schedule",
            description=f"Measures {self.node.path}",
            schedule=events.Schedule.rate(MEASURED_EVERY),
            # The next invocation comes before a retry would be useful.
            targets=[
                targets.LambdaFunction(
                    packaged.function, dead_letter_queue=missed, retry_attempts=0, max_event_age=Duration.minutes(1)
                )
            ],
        )
        events.Rule(
            self,
            "DailyLook",
            description=f"Computes the metrics by which alarms judge the model of {self.node.path}",
            # Once a day, because the rate of false alarms is stated per day.
            schedule=events.Schedule.cron(minute="10", hour="0"),
            targets=[
                targets.LambdaFunction(
                    packaged.function,
                    event=events.RuleTargetInput.from_object({"look": "daily"}),
                    dead_letter_queue=missed,
                    max_event_age=Duration.hours(12),
                )
            ],
        )
        return packaged.function


class _ImportedReviewQueue(IReviewQueue):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: dynamodb.ITable,
        environment: Mapping[str, str],
        metric_namespace: str,
        measuring_function: AnyFunction | None,
        draw_secret: secretsmanager.ISecret | None,
    ) -> None:
        super().__init__(scope, id)
        self._table = table
        self._environment = environment
        self._metric_namespace = metric_namespace
        self._measuring_function = measuring_function
        self._draw_secret = draw_secret

    @property
    def table(self) -> dynamodb.ITable:
        return self._table

    @property
    def encryption_key(self) -> kms.IKey | None:
        return self._table.encryption_key

    @property
    def environment(self) -> dict[str, str]:
        return dict(self._environment)

    @property
    def draw_secret(self) -> secretsmanager.ISecret | None:
        return self._draw_secret

    @property
    def measuring_function(self) -> lambda_.IFunction | None:
        return self._measuring_function

    @property
    def metric_namespace(self) -> str:
        return self._metric_namespace
