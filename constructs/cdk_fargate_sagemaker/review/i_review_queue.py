"""A review queue, made by this app or imported."""

from typing import Unpack

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from .. import _statistics as statistics
from .._checks import check_duration, check_number, refusal
from .._construct_tree import once
from .._interfaces import check_table, checked_grantee
from .._key_use import DYNAMODB_KEY_USE
from .._metric_names import check_dimension_value, check_namespace
from .._metric_options import MetricOptions, with_options
from .._number_token import number_text
from .._resource_policy import open_to_account
from ..review_estimates.burden import SPREAD
from ._task_secret import TaskSecret

INDEX = "queue"
MEASURED_EVERY = Duration.minutes(5)
_DAY = Duration.days(1)
_MOST_SHARDS = 64
_LEASE = Duration.minutes(15)
MOST_DECISIONS_A_MINUTE = 6000
# The ML API does not start with a larger value.
LONGEST_TTL = Duration.days(3650)
LARGEST_QUOTA = 100_000_000
_USE = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
# The operations that clients of the table use; GetRecords and similar ones are not used.
_OPERATIONS = [
    dynamodb.Operation.GET_ITEM,
    dynamodb.Operation.PUT_ITEM,
    dynamodb.Operation.QUERY,
    dynamodb.Operation.TRANSACT_WRITE_ITEMS,
    dynamodb.Operation.UPDATE_ITEM,
]


class IReviewQueue(Construct):
    """What a service and a dashboard need of a review queue.

    It is a `ReviewQueue`, or one that is imported by `ReviewQueue.from_review_queue_attributes`.
    """

    @property
    def table(self) -> dynamodb.ITable:
        """Posts and decisions; a release exports it (`DynamoDbExport`)."""
        raise NotImplementedError

    @property
    def encryption_key(self) -> kms.IKey | None:
        """The key of the table; None where an imported table's is not known."""
        raise NotImplementedError

    @property
    def environment(self) -> dict[str, str]:
        """What the ML API needs in its environment to store posts here; REVIEW_SIGNER, beside it, opens the page."""
        raise NotImplementedError

    @property
    def draw_secret(self) -> secretsmanager.ISecret | None:
        """The secret for the random choice and order of posts; None where an imported queue's is not known."""
        raise NotImplementedError

    @property
    def secrets(self) -> dict[str, ecs.Secret]:
        """What the ML API needs among its secrets, beside `environment`.

        Raises:
            InvalidArgumentError: an imported queue whose secret is not known.
        """
        secret = self.draw_secret
        if secret is None:
            raise refusal("draw_secret", None, "that of the queue", "import the queue with it")
        return {"REVIEW_DRAW_SECRET": TaskSecret(secret)}

    @property
    def measuring_function(self) -> lambda_.IFunction | None:
        """The function that publishes the metrics every five minutes; None where it is not known."""
        raise NotImplementedError

    @property
    def metric_namespace(self) -> str:
        """The CloudWatch namespace of the queue's metrics."""
        raise NotImplementedError

    def grant_use(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` store posts, find those that wait, and add decisions. It cannot delete or scan anything."""
        table, key = self.table, self.encryption_key
        checked_grantee(grantee)
        of_key = None
        if key is not None:
            of_key = key.grant(grantee, *DYNAMODB_KEY_USE)
            open_to_account(key, key.key_arn, grantee, DYNAMODB_KEY_USE, "*")
        of_index = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["dynamodb:Query"],
            resource_arns=[f"{table.table_arn}/index/{INDEX}"],
        )
        of_table = iam.Grant.add_to_principal(grantee=grantee, actions=_USE, resource_arns=[table.table_arn])
        of_both = of_table.combine(of_index)
        return of_both if of_key is None else of_both.combine(of_key)

    def metric_waiting(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """How many posts wait for a reviewer, counted up to 100,000 (maximum over five minutes)."""
        return self._measure_metric("Waiting", options)

    def metric_oldest_age(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """How many seconds the oldest waiting post has waited, 0 if none waits (maximum over five minutes)."""
        return self._measure_metric("OldestAge", options)

    def metric_decisions_a_day(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """The decisions of a day (UTC), without undone ones (maximum over the day)."""
        return self._measure_metric("Decisions", options, _DAY)

    def metric_reviewers(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """How many reviewers made a decision that was not undone, per day of UTC (maximum over the day)."""
        return self._measure_metric("Reviewers", options, _DAY)

    def metric_reviewer_decisions(self, **options: "Unpack[MetricOptions]") -> tuple[cloudwatch.Metric, ...]:
        """How many decisions one reviewer made per day: the median, the 90th percentile and the maximum over
        reviewers.
        """
        return self._spread_metrics("ReviewerDecisions", options, _DAY)

    def metric_decision_seconds(self, **options: "Unpack[MetricOptions]") -> tuple[cloudwatch.Metric, ...]:
        """How many seconds a decision takes one reviewer, today so far: median, 90th percentile and maximum over
        reviewers.

        Reviewers with fewer than 10 decisions and breaks of more than five minutes are left out.
        """
        return self._spread_metrics("DecisionSeconds", options)

    def metric_severe_percent(self, **options: "Unpack[MetricOptions]") -> tuple[cloudwatch.Metric, ...]:
        """Percentage of one reviewer's decisions on severe posts, today so far: median, 90th percentile and maximum.

        A post is severe if the reviewer judged it a violation and the model's probability was at least 0.9 or missing.
        Reviewers with fewer than 10 decisions are left out.
        """
        return self._spread_metrics("SeverePercent", options)

    def metric_precision(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Precision: the share of violations among the flagged posts of the window, percent."""
        return self._measure_metric("Precision", options)

    def metric_precision_interval(
        self, **options: "Unpack[MetricOptions]"
    ) -> tuple[cloudwatch.Metric, cloudwatch.Metric]:
        """The two ends of the precision's 95 % interval, percent."""
        return self._measure_metric("PrecisionLow", options), self._measure_metric("PrecisionHigh", options)

    def metric_recall(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Recall: the share of all violations that was flagged, percent, estimated for the posts of the window.

        No data point is published before posts of the sample were judged.
        """
        return self._measure_metric("Recall", options)

    def metric_recall_interval(self, **options: "Unpack[MetricOptions]") -> tuple[cloudwatch.Metric, cloudwatch.Metric]:
        """The two ends of the recall's 95 % interval, percent."""
        return self._measure_metric("RecallLow", options), self._measure_metric("RecallHigh", options)

    def metric_agreement(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Cohen's kappa of the posts that two reviewers judged: 1 at most, 0 if they agree only by chance."""
        return self._measure_metric("Agreement", options)

    def metric_precision_at_most(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Upper bound of the precision over the last seven days, percent, once a day (minimum over the day).

        By chance, the true precision is above it on at most one day of 1,000.
        """
        return self._measure_metric("PrecisionAtMost", {"statistic": statistics.MINIMUM, **options}, _DAY)

    def metric_recall_at_most(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """Upper bound of the recall over the last seven days, percent, once a day (minimum over the day).

        By chance, the true recall is above it on at most one day of 1,000.
        """
        return self._measure_metric("RecallAtMost", {"statistic": statistics.MINIMUM, **options}, _DAY)

    def metric_measuring_failed(self, **options: "Unpack[MetricOptions]") -> cloudwatch.Metric:
        """How often the measurement failed (sum over five minutes).

        Raises:
            InvalidArgumentError: an imported queue whose measuring function is not known.
        """
        function = self.measuring_function
        if function is None:
            raise refusal("measuring_function", None, "that of the queue", "import the queue with it")
        return with_options(function.metric_errors(period=MEASURED_EVERY, label="failed"), options)

    def metric_decisions(
        self, *, namespace: str, service_name: str, **options: "Unpack[MetricOptions]"
    ) -> cloudwatch.Metric:
        """How many decisions reviewers made (sum over an hour), including those that were undone later.

        Args:
            namespace: where the service puts its own metrics in CloudWatch.
            service_name: the name that it puts them under.
            options: those of the CDK's metrics.
        """
        return self._service_metric("ReviewDecisions", namespace, service_name, options, Duration.hours(1))

    def metric_stored(
        self, *, namespace: str, service_name: str, **options: "Unpack[MetricOptions]"
    ) -> cloudwatch.Metric:
        """How many posts were stored for reviewers (sum over five minutes).

        Args:
            namespace: where the service puts its own metrics in CloudWatch.
            service_name: the name that it puts them under.
            options: those of the CDK's metrics.
        """
        return self._service_metric("ReviewStored", namespace, service_name, options, Duration.minutes(5))

    def metric_over_quota(
        self, *, namespace: str, service_name: str, **options: "Unpack[MetricOptions]"
    ) -> cloudwatch.Metric:
        """How many posts were not stored because the day's quota was used up (sum over five minutes).

        Args:
            namespace: where the service puts its own metrics in CloudWatch.
            service_name: the name that it puts them under.
            options: those of the CDK's metrics.
        """
        return self._service_metric("ReviewOverQuota", namespace, service_name, options, Duration.minutes(5))

    def metric_throttled(self, **options: "Unpack[MetricOptions]") -> cloudwatch.IMetric:
        """How many of the service's calls DynamoDB throttled (sum over five minutes)."""
        metric = self.table.metric_throttled_requests_for_operations(
            operations=_OPERATIONS, period=Duration.minutes(5), statistic=statistics.SUM
        )
        assert isinstance(metric, cloudwatch.MathExpression)  # the CDK adds the operations up
        return with_options(metric, options)

    def _measure_metric(
        self, name: str, options: MetricOptions, period: Duration = MEASURED_EVERY
    ) -> cloudwatch.Metric:
        metric = cloudwatch.Metric(
            namespace=self.metric_namespace,
            metric_name=name,
            dimensions_map={"table": _table_name(self.table)},
            statistic=statistics.MAXIMUM,
            period=period,
        )
        return with_options(metric, options)

    def _spread_metrics(
        self, name: str, options: MetricOptions, period: Duration = MEASURED_EVERY
    ) -> tuple[cloudwatch.Metric, ...]:
        return tuple(self._measure_metric(f"{name}{part}", options, period) for part in SPREAD)

    def _service_metric(
        self, name: str, namespace: str, service_name: str, options: MetricOptions, period: Duration
    ) -> cloudwatch.Metric:
        check_namespace("namespace", namespace)
        check_dimension_value("service_name", service_name)
        metric = cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map={"service": service_name},
            statistic=statistics.SUM,
            period=period,
        )
        return with_options(metric, options)


def review_environment(
    table: dynamodb.ITable,
    *,
    shards: int,
    sample_percent: float,
    second_percent: float,
    lease: Duration | None,
    ttl: Duration | None,
    daily_quota: int,
    decisions_a_minute: int,
) -> dict[str, str]:
    """The environment variables of a service; a number may be known at deployment only.

    Raises:
        InvalidArgumentError: a number that is not in its range, or no table.
    """
    check_table("table", table)
    check_number("shards", shards, at_least=1, at_most=_MOST_SHARDS, whole=True)
    check_number("sample_percent", sample_percent, at_least=0, at_most=100)
    check_number("second_percent", second_percent, at_least=0, at_most=100)
    check_number("decisions_a_minute", decisions_a_minute, at_least=1, at_most=MOST_DECISIONS_A_MINUTE, whole=True)
    if lease is None:
        lease = _LEASE
    check_duration("lease", lease, at_least=Duration.seconds(10), at_most=Duration.hours(24), whole="seconds")
    check_number("daily_quota", daily_quota, at_least=1, at_most=LARGEST_QUOTA, whole=True)
    environment = {
        "REVIEW_TABLE": table.table_name,
        "REVIEW_SHARDS": number_text(shards),
        "REVIEW_SAMPLE_PERCENT": number_text(sample_percent),
        "REVIEW_SECOND_PERCENT": number_text(second_percent),
        "REVIEW_LEASE_SECONDS": number_text(lease.to_seconds()),
        "REVIEW_DAILY_QUOTA": number_text(daily_quota),
        "REVIEW_DECISIONS_A_MINUTE": number_text(decisions_a_minute),
    }
    if ttl is not None:
        check_duration("ttl", ttl, at_least=Duration.days(1), at_most=LONGEST_TTL, whole="days")
        environment["REVIEW_TTL_DAYS"] = number_text(ttl.to_days())
    return environment


@once
def _table_name(table: dynamodb.ITable) -> str:
    return table.table_name
