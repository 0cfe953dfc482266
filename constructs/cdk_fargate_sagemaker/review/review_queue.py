"""The posts that wait for a reviewer, the most probable violations first, and what reviewers decided."""

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

_INDEX = "queue"
_MOST_SHARDS = 64
_NAMESPACE = "Moderation/Api"
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

    On demand, encrypted with a customer's key, with point-in-time recovery, from which a release exports the decisions.
    DynamoDB removes a post that nobody decided on after what the service is given as REVIEW_TTL_DAYS.

    Args:
        shards: 1 to 64 parts of the index. DynamoDB writes at most 1,000 rows a second to each, and a post costs three
            (stored, taken, decided on): one part takes about 300 posts a second. A reader asks each part once. More can
            be added any time; posts of a part that is taken away are not found any more. Default: 1.
        sample_percent: 0 to 100 of the posts that were not flagged which reviewers get too, for misses to be found and
            recall to be estimated. Default: 1.
        second_percent: 0 to 100 of the posts that two reviewers judge, for their agreement. Default: 5.
        lease: for how long a post that a reviewer has taken is nobody else's, 10 seconds to 24 hours. Default: 15
            minutes.
        ttl: after what a post that nobody decided on is removed, at least a day. Default: never.
        encryption_key: of the table. Default: a new one, rotated yearly.
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
        self._encryption_key.grant(grantee, *_KEY_USE)
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["dynamodb:Query"],
            resource_arns=[f"{self._table.table_arn}/index/{_INDEX}"],
        )
        return iam.Grant.add_to_principal(grantee=grantee, actions=_USE, resource_arns=[self._table.table_arn])

    def metric_decisions(self, *, service_name: str) -> cloudwatch.Metric:
        """How many decisions reviewers made (sum over an hour), undone ones counted as they were made."""
        return self._service_metric("ReviewDecisions", service_name, "Sum", Duration.hours(1))

    def metric_stored(self, *, service_name: str) -> cloudwatch.Metric:
        """How many posts were stored for reviewers (sum over five minutes)."""
        return self._service_metric("ReviewStored", service_name, "Sum", Duration.minutes(5))

    def metric_waiting(self, *, service_name: str) -> cloudwatch.Metric:
        """How many posts wait for a reviewer (maximum over five minutes)."""
        return self._service_metric("ReviewWaiting", service_name, "Maximum", Duration.minutes(5))

    def metric_throttled(self) -> cloudwatch.IMetric:
        """How many calls DynamoDB put off, of every kind the service makes (sum over five minutes)."""
        return self._table.metric_throttled_requests_for_operations(
            operations=_OPERATIONS, period=Duration.minutes(5), statistic="Sum"
        )

    def _service_metric(self, name: str, service_name: str, statistic: str, period: Duration) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=_NAMESPACE,
            metric_name=name,
            dimensions_map={"service": service_name},
            statistic=statistic,
            period=period,
        )
