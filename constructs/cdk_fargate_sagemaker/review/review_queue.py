"""The posts that wait for a reviewer, the most probable violations first, and what reviewers decided."""

import re
from typing import Unpack

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Token, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .._allow import allow
from .._key_use import allow_key
from .._managed_queue_key import explain_managed_key
from .._metric_options import MetricOptions, with_options
from .._packaged_function import PackagedFunction
from .._resource_policy import open_to_account

_INDEX = "queue"
_OLDEST_INDEX = "oldest"
_MOST_SHARDS = 64
_NAMESPACE = "Reviews"
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_NAMESPACE_FORM = re.compile(r"(?!AWS/)[0-9a-zA-Z.\-_/#]{1,255}")
_MEASURED_EVERY = Duration.minutes(5)
_WINDOW = Duration.days(28)
_USE = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
# By name: cdk-nag takes the CDK's own grant, with its wildcards, for careless.
_KEY_USE = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
]
# What a client of the table meets; GetRecords and the like are not used.
_OPERATIONS = [
    dynamodb.Operation.GET_ITEM,
    dynamodb.Operation.PUT_ITEM,
    dynamodb.Operation.QUERY,
    dynamodb.Operation.TRANSACT_WRITE_ITEMS,
    dynamodb.Operation.UPDATE_ITEM,
]


class ReviewQueue(Construct):
    """A DynamoDB table of posts for reviewers, with an index in which one query finds the most probable ones that wait.

    A post's key is the hash of its normalised text: it is stored once however often it is sent. While it waits it is in
    the index `queue`, by its probability; a decided one leaves the index, which so never grows beyond what waits. Each
    decision is an item of its own beside the post, and none is ever changed.

    A function measures it every five minutes by counts that the service keeps, and reads no post for it: what waits
    and since when, decisions a day, precision and recall of what was flagged, and how far reviewers agree. The index
    `oldest` has what waits by when it was received.

    On demand, encrypted with a customer's key, with point-in-time recovery, from which a release exports the decisions.
    DynamoDB removes a post that nobody decided on after what the service is given as REVIEW_TTL_DAYS.

    Args:
        shards: 1 to 64 parts of the index. DynamoDB writes at most 1,000 rows a second to each, and a post costs three
            (stored, taken, decided on): one part takes about 300 posts a second. A reader asks each part twice. More
            can be added any time; posts of a part that is taken away are not found any more. Default: 1.
        sample_percent: 0 to 100 of the posts that were not flagged which reviewers get too, for misses to be found and
            recall to be estimated. Default: 1.
        second_percent: 0 to 100 of the posts that two reviewers judge, for their agreement. Default: 5.
        lease: for how long a post that a reviewer has taken is nobody else's, 10 seconds to 24 hours. Default: 15
            minutes.
        ttl: after what a post that nobody decided on is removed, at least a day. Default: never.
        measured_window: estimates are of the posts that were received in so long, 1 to 90 whole days. Default: 28 days.
        metric_namespace: the namespace in CloudWatch of what the queue measures. Default: `Reviews`.
        encryption_key: of the table and of the function's logs. The owner of an imported one has to let CloudWatch Logs
            use it: the app warns with the statement. Default: a new one, rotated yearly.
        removal_policy: what becomes of table and key with the stack. Default: they stay, and the table is protected
            from deletion.

    Raises:
        ValueError: a number that is not in its range.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        shards: int = 1,
        sample_percent: float = 1,
        second_percent: float = 5,
        lease: Duration | None = None,
        ttl: Duration | None = None,
        measured_window: Duration = _WINDOW,
        metric_namespace: str = _NAMESPACE,
        encryption_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
    ) -> None:
        super().__init__(scope, id)
        if not 1 <= shards <= _MOST_SHARDS:
            raise ValueError(f"shards: got {shards}, allowed: 1 to {_MOST_SHARDS}")
        for name, percent in (("sample_percent", sample_percent), ("second_percent", second_percent)):
            if not 0 <= percent <= 100:
                raise ValueError(f"{name}: got {percent}, allowed: 0 to 100")
        lease = lease or Duration.minutes(15)
        if not Duration.seconds(10).to_seconds() <= lease.to_seconds() <= Duration.hours(24).to_seconds():
            raise ValueError(f"lease: got {lease.to_human_string()}, allowed: 10 seconds to 24 hours")
        if ttl is not None and ttl.to_days(integral=False) < 1:
            raise ValueError(f"ttl: got {ttl.to_human_string()}, allowed: at least 1 day")
        if measured_window.to_days(integral=False) not in range(1, 91):
            raise ValueError(f"measured_window: got {measured_window.to_human_string()}, allowed: 1 to 90 whole days")
        if not Token.is_unresolved(metric_namespace) and not _NAMESPACE_FORM.fullmatch(metric_namespace):
            raise ValueError(
                f"metric_namespace: got {metric_namespace!r}, allowed: 1 to 255 letters, digits and . - _ / #, "
                "and no AWS/ in front"
            )
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
            deletion_protection=removal_policy == RemovalPolicy.RETAIN,
            removal_policy=removal_policy,
        )
        Validations.of(self._table).acknowledge(
            Acknowledgment(
                id="NIST.800.53.R5-DynamoDBInBackupPlan",
                reason="Point-in-time recovery reaches back 35 days; a backup plan is the account's to make.",
            )
        )
        # Small rows: a write of one costs a unit, and one page of a query passes over thousands.
        self._table.add_global_secondary_index(
            index_name=_INDEX,
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
        self._measures = self._measure(shards, window=measured_window)
        self._environment = {
            "REVIEW_TABLE": self._table.table_name,
            "REVIEW_SHARDS": str(shards),
            "REVIEW_SAMPLE_PERCENT": f"{sample_percent:g}",
            "REVIEW_SECOND_PERCENT": f"{second_percent:g}",
            "REVIEW_LEASE_SECONDS": str(lease.to_seconds()),
        }
        if ttl is not None:
            self._environment["REVIEW_TTL_DAYS"] = str(int(ttl.to_days(integral=False)))

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

    def grant_use(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` store posts, find those that wait, and add decisions. It cannot delete or scan anything."""
        of_key = self._encryption_key.grant(grantee, *_KEY_USE)
        open_to_account(self._encryption_key, self._encryption_key.key_arn, grantee, _KEY_USE, "*")
        of_index = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["dynamodb:Query"],
            resource_arns=[f"{self._table.table_arn}/index/{_INDEX}"],
        )
        of_table = iam.Grant.add_to_principal(grantee=grantee, actions=_USE, resource_arns=[self._table.table_arn])
        return of_table.combine(of_index).combine(of_key)

    @property
    def measuring_function(self) -> lambda_.Function:
        """What puts the metrics, every five minutes."""
        return self._measures

    def metric_waiting(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """How many posts nobody has judged, up to 100,000 (maximum over five minutes)."""
        return self._measure_metric("Waiting", options)

    def metric_oldest_age(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """For how many seconds the oldest of them has waited, 0 where none does (maximum over five minutes)."""
        return self._measure_metric("OldestAge", options)

    def metric_decisions_a_day(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """How many decisions of a day of UTC stand, those taken back not counted (maximum over the day)."""
        return self._measure_metric("Decisions", options, Duration.days(1))

    def metric_precision(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Of what was flagged, the share of violations, percent, of the posts of the window."""
        return self._measure_metric("Precision", options)

    def metric_precision_interval(
        self, **options: Unpack[MetricOptions]
    ) -> tuple[cloudwatch.Metric, cloudwatch.Metric]:
        """From where to where the precision is with 95 %, percent."""
        return self._measure_metric("PrecisionLow", options), self._measure_metric("PrecisionHigh", options)

    def metric_recall(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Of all violations, the share that was flagged, percent, estimated for the posts of the window.

        There is none before posts of the sample were judged.
        """
        return self._measure_metric("Recall", options)

    def metric_recall_interval(self, **options: Unpack[MetricOptions]) -> tuple[cloudwatch.Metric, cloudwatch.Metric]:
        """From where to where the recall is with 95 %, percent."""
        return self._measure_metric("RecallLow", options), self._measure_metric("RecallHigh", options)

    def metric_agreement(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """Cohen's kappa of the posts that two reviewers judged: 1 at most, 0 where they agree as by chance."""
        return self._measure_metric("Agreement", options)

    def metric_measuring_failed(self, **options: Unpack[MetricOptions]) -> cloudwatch.Metric:
        """How often the figures could not be measured (sum over five minutes)."""
        return with_options(self._measures.metric_errors(period=_MEASURED_EVERY, label="failed"), options)

    def metric_decisions(
        self, *, namespace: str, service_name: str, **options: Unpack[MetricOptions]
    ) -> cloudwatch.Metric:
        """How many decisions reviewers made (sum over an hour), undone ones counted as they were made.

        Args:
            namespace: where the service puts its own metrics in CloudWatch.
            service_name: the name that it puts them under.
            options: those of the CDK's metrics.
        """
        return self._service_metric("ReviewDecisions", namespace, service_name, options, Duration.hours(1))

    def metric_stored(
        self, *, namespace: str, service_name: str, **options: Unpack[MetricOptions]
    ) -> cloudwatch.Metric:
        """How many posts were stored for reviewers (sum over five minutes).

        Args:
            namespace: where the service puts its own metrics in CloudWatch.
            service_name: the name that it puts them under.
            options: those of the CDK's metrics.
        """
        return self._service_metric("ReviewStored", namespace, service_name, options, Duration.minutes(5))

    def metric_throttled(self, **options: Unpack[MetricOptions]) -> cloudwatch.IMetric:
        """How many calls DynamoDB put off, of every kind the service makes (sum over five minutes)."""
        metric = self._table.metric_throttled_requests_for_operations(
            operations=_OPERATIONS, period=Duration.minutes(5), statistic=cloudwatch.Stats.SUM
        )
        assert isinstance(metric, cloudwatch.MathExpression)  # the CDK adds the operations up
        return with_options(metric, options)

    def _measure(self, shards: int, *, window: Duration) -> lambda_.Function:
        missed = sqs.Queue(
            self,
            "Missed",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        Validations.of(missed).acknowledge(
            Acknowledgment(
                id="Serverless-SQSRedrivePolicy", reason="It is the last queue; a person reads what it holds."
            )
        )
        explain_managed_key(missed)
        packaged = PackagedFunction(
            self,
            "Measures",
            name="review_measures",
            description=f"Measures {self.node.path}",
            timeout=Duration.minutes(2),
            environment={
                "TABLE_NAME": self._table.table_name,
                "SHARDS": str(shards),
                "WINDOW_DAYS": str(int(window.to_days())),
                "METRIC_NAMESPACE": self._metric_namespace,
            },
            dead_letter_queue=missed,
            log_encryption_key=self._encryption_key,
        )
        allow(
            packaged.role,
            ["dynamodb:Query"],
            self._table.table_arn,
            # Counts, never what somebody wrote.
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["day#*", "received#*"]}},
        )
        allow(packaged.role, ["dynamodb:Query"], f"{self._table.table_arn}/index/{_OLDEST_INDEX}")
        allow_key(packaged.role, self._encryption_key, ["kms:Decrypt"])
        # Whoever deploys makes the table, by a grant on its key.
        open_to_account(self._encryption_key, self._encryption_key.key_arn, packaged.role, ["kms:CreateGrant"], "*")
        allow(
            packaged.role,
            ["cloudwatch:PutMetricData"],
            "*",
            conditions={"StringEquals": {"cloudwatch:namespace": self._metric_namespace}},
            wildcard_reason="Metrics are no resources: a condition keeps it to one namespace; X-Ray's traces neither.",
        )
        events.Rule(
            self,
            "Schedule",
            description=f"Measures {self.node.path}",
            schedule=events.Schedule.rate(_MEASURED_EVERY),
            # The next one comes before a late one would be worth anything.
            targets=[
                targets.LambdaFunction(
                    packaged.function, dead_letter_queue=missed, retry_attempts=0, max_event_age=Duration.minutes(1)
                )
            ],
        )
        return packaged.function

    def _measure_metric(
        self, name: str, options: MetricOptions, period: Duration = _MEASURED_EVERY
    ) -> cloudwatch.Metric:
        metric = cloudwatch.Metric(
            namespace=self._metric_namespace,
            metric_name=name,
            dimensions_map={"table": self._table.table_name},
            statistic=cloudwatch.Stats.MAXIMUM,
            period=period,
        )
        return with_options(metric, options)

    def _service_metric(
        self, name: str, namespace: str, service_name: str, options: MetricOptions, period: Duration
    ) -> cloudwatch.Metric:
        metric = cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map={"service": service_name},
            statistic=cloudwatch.Stats.SUM,
            period=period,
        )
        return with_options(metric, options)
