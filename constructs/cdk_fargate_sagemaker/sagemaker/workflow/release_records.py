"""The records of every release of an endpoint."""

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from ..._acknowledgment import Acknowledgment, acknowledge
from ..._allow import allow
from ..._checks import check_sequence
from ..._construct_tree import stack_of
from ..._interfaces import AnyKey, AnyTopic, check_bucket, check_key, check_topic
from ..._key_use import DYNAMODB_KEY_USE, ENVELOPE_KEY_USE, allow_key, through_dynamodb
from ..._lives import check_removal_policy, is_kept, kept_from_the_start
from ..._packaged_function import PackagedFunction
from ..._readable_help import CallSignature
from ..._resource_policy import open_to_account
from ..._topic_publishers import allow_publishing
from ..endpoint._endpoint_name import check_endpoint_name
from ._later_names import EXECUTIONS_OF_LATER, NAMED_BY_EXECUTION, OBJECTS_OF_LATER, execution_arn, sagemaker_arn

_READ = ["dynamodb:GetItem", "dynamodb:Query"]
_WRITE = ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
_MODELS_PREFIX = "models/*"


class ReleaseRecords(Construct):
    """Keeps the records of an endpoint's releases: a table, the name of the current one, and three functions.

    The table (`endpoint`, `entry`) has one record per release: who or what started it, the fingerprint of its data, its
    metrics, model and configuration, the SHA-256 of the model's archive, and how it ended. It also records which
    release is current and which execution changes the endpoint now. `ledger` alone writes them; `cleaner` removes what
    no release needs; `files` keeps the archives of models, and checks them before an endpoint gets them.

    The SSM parameter `current_parameter_name` holds the current release's name, for people and programs to read. It is
    not a resource of the stack, because a deployment would overwrite its value: the ledger creates, changes and deletes
    it.

    `ModelReleaseWorkflow` makes one as its `records`.

    Args:
        endpoint_name: the endpoint's name.
        workflow_names: the state machines whose executions may change the endpoint: the ledger checks whether the one
            that holds the lock still runs.
        data_bucket: the bucket of runs and models, of which the cleaner deletes what no release needs.
        alerts_topic: gets one alert about an endpoint that an earlier stack left in service.
        encryption_key: encrypts the table and the functions' logs.
        removal_policy: what happens to the table when the stack is deleted. A table that is kept is protected from
            deletion. Default: it is kept.

    Raises:
        InvalidArgumentError: an invalid argument.
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        endpoint_name: str,
        workflow_names: Sequence[str],
        data_bucket: s3.IBucket,
        alerts_topic: AnyTopic,
        encryption_key: AnyKey,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        check_endpoint_name(endpoint_name)
        check_sequence("workflow_names", workflow_names, "a list of names", empty=False)
        check_bucket("data_bucket", data_bucket)
        check_topic("alerts_topic", alerts_topic)
        check_key("encryption_key", encryption_key)
        check_removal_policy(removal_policy)
        stack = stack_of(self)
        self._endpoint_name = endpoint_name
        self._current_parameter_name = f"/sagemaker/{endpoint_name}/current-release"
        self._table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="endpoint", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="entry", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=encryption_key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=is_kept(removal_policy),
            removal_policy=kept_from_the_start(removal_policy),
        )
        acknowledge(
            self._table,
            Acknowledgment(
                id="NIST.800.53.R5-DynamoDBInBackupPlan",
                reason="Point-in-time recovery restores it to any second of the last 35 days; backup plans are up to "
                "the account's owner.",
            ),
        )
        self._ledger = PackagedFunction(
            self,
            "Ledger",
            name="release_ledger",
            description=f"Records the releases of {endpoint_name}",
            timeout=Duration.minutes(1),
            log_encryption_key=encryption_key,
            environment={
                "RELEASES_TABLE": self._table.table_name,
                "CURRENT_PARAMETER": self._current_parameter_name,
                "ENDPOINT_NAME": endpoint_name,
                "ALERTS_TOPIC": alerts_topic.topic_arn,
            },
        )
        self._cleaner = PackagedFunction(
            self,
            "Cleaner",
            name="release_cleaner",
            description=f"Removes what no release of {endpoint_name} needs",
            # It waits until jobs have stopped.
            timeout=Duration.minutes(15),
            log_encryption_key=encryption_key,
            environment={
                "RELEASES_TABLE": self._table.table_name,
                "ENDPOINT_NAME": endpoint_name,
                "DATA_BUCKET": data_bucket.bucket_name,
            },
        )
        self._files = PackagedFunction(
            self,
            "Files",
            name="model_files",
            description=f"Keeps and checks the archives of the models of {endpoint_name}",
            # S3 copies an archive of some GiB in seconds; the parts of a larger one are copied at the same time.
            timeout=Duration.minutes(15),
            log_encryption_key=encryption_key,
            environment={"DATA_BUCKET": data_bucket.bucket_name},
        )
        for function in (self._ledger, self._cleaner):
            allow(function.role, [*_READ, *_WRITE], self._table.table_arn)
            allow_key(
                function.role,
                encryption_key,
                DYNAMODB_KEY_USE,
                conditions=through_dynamodb(self),
            )
        # The deployment's own role creates the table, with a grant on its key.
        open_to_account(encryption_key, encryption_key.key_arn, self._ledger.role, ["kms:CreateGrant"], "*")
        allow(
            self._ledger.role,
            ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"],
            stack.format_arn(service="ssm", resource="parameter", resource_name=self._current_parameter_name[1:]),
        )
        for name in workflow_names:
            allow(
                self._ledger.role,
                ["states:DescribeExecution"],
                execution_arn(self, f"{name}:*"),
                wildcard_reason=EXECUTIONS_OF_LATER,
            )
        self._allow_sagemaker(endpoint_name)
        self._allow_adopting(data_bucket, alerts_topic)
        self._allow_cleaning(data_bucket)
        self._allow_checking(data_bucket)

    @property
    def current_parameter_name(self) -> str:
        """The name of the SSM parameter that holds the current release's name."""
        return self._current_parameter_name

    @property
    def table(self) -> dynamodb.Table:
        """The table of the releases."""
        return self._table

    @property
    def ledger(self) -> PackagedFunction:
        """The function that writes the table."""
        return self._ledger

    @property
    def cleaner(self) -> PackagedFunction:
        """The function that removes what no release needs."""
        return self._cleaner

    @property
    def files(self) -> PackagedFunction:
        """The function that keeps and checks the archives of models."""
        return self._files

    def allow_making_again(self, endpoint_role: iam.IRole) -> None:
        """Lets the ledger recreate the model or the endpoint configuration of a release if it was deleted.

        Args:
            endpoint_role: the role of the models of releases.
        """
        role, releases = self._ledger.role, f"{self._endpoint_name}-*"
        allow(
            role,
            ["sagemaker:CreateModel", "sagemaker:AddTags"],
            sagemaker_arn(self, "model", releases),
            wildcard_reason=NAMED_BY_EXECUTION,
        )
        allow(
            role,
            ["sagemaker:CreateEndpointConfig", "sagemaker:AddTags"],
            sagemaker_arn(self, "endpoint-config", releases),
            wildcard_reason=NAMED_BY_EXECUTION,
        )
        allow(
            role,
            ["iam:PassRole"],
            endpoint_role.role_arn,
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        )

    def _allow_sagemaker(self, endpoint_name: str) -> None:
        role, releases = self._cleaner.role, f"{endpoint_name}-*"
        for resource, actions in {
            "model": ["sagemaker:DeleteModel"],
            "endpoint-config": ["sagemaker:DeleteEndpointConfig", "sagemaker:DescribeEndpointConfig"],
            "training-job": ["sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"],
            "processing-job": ["sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob"],
            "transform-job": ["sagemaker:DescribeTransformJob", "sagemaker:StopTransformJob"],
        }.items():
            allow(role, actions, sagemaker_arn(self, resource, releases), wildcard_reason=NAMED_BY_EXECUTION)
        # The ledger records the release of an endpoint that is older than its records.
        configurations = sagemaker_arn(self, "endpoint-config", releases)
        allow(
            self._ledger.role,
            ["sagemaker:DescribeEndpointConfig"],
            configurations,
            wildcard_reason=NAMED_BY_EXECUTION,
        )
        allow(
            self._ledger.role,
            ["sagemaker:DescribeModel"],
            sagemaker_arn(self, "model", releases),
            wildcard_reason=NAMED_BY_EXECUTION,
        )
        for reader in (role, self._ledger.role):
            allow(reader, ["sagemaker:DescribeEndpoint"], sagemaker_arn(self, "endpoint", endpoint_name))

    def _allow_adopting(self, data_bucket: s3.IBucket, alerts_topic: sns.ITopic) -> None:
        """Lets the ledger record an endpoint without a record as the current release, if its model's role and artefact
        exist.
        """
        role = self._ledger.role
        allow(
            role,
            ["iam:GetRole"],
            stack_of(self).format_arn(service="iam", region="", resource="role", resource_name="*"),
            wildcard_reason="The role of a model that somebody else created is unknown; only its existence is checked.",
        )
        allow(role, ["s3:ListBucket"], data_bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": _MODELS_PREFIX}})
        allow_publishing(role, alerts_topic)

    def _allow_cleaning(self, data_bucket: s3.IBucket) -> None:
        role, folders = self._cleaner.role, ["models/*", "runs/*"]
        allow(
            role,
            ["s3:ListBucketVersions"],
            data_bucket.bucket_arn,
            conditions={"StringLike": {"s3:prefix": folders}},
        )
        allow(
            role,
            ["s3:DeleteObjectVersion"],
            *(data_bucket.arn_for_objects(folder) for folder in folders),
            wildcard_reason=OBJECTS_OF_LATER,
        )

    def _allow_checking(self, data_bucket: s3.IBucket) -> None:
        """Allows reading an archive's checksum. Without ListBucket, S3 answers "access denied" if an archive does not
        exist.
        """
        role = self._files.role
        allow(
            role,
            ["s3:GetObject"],
            data_bucket.arn_for_objects(_MODELS_PREFIX),
            wildcard_reason=OBJECTS_OF_LATER,
        )
        allow(role, ["s3:ListBucket"], data_bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": _MODELS_PREFIX}})
        if data_bucket.encryption_key is not None:
            # S3 decrypts the object to return its checksum.
            allow_key(role, data_bucket.encryption_key, ENVELOPE_KEY_USE)
