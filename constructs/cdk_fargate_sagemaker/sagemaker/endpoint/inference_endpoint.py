"""A SageMaker endpoint to which CloudFormation releases models."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import jsii
from aws_cdk import Names, RemovalPolicy, Resource, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk.interfaces.aws_sagemaker import EndpointReference
from constructs import Construct

from ..._acknowledgment import Acknowledgment, acknowledge
from ..._allow import allow
from ..._checks import check_kind, refusal
from ..._construct_tree import stack_of
from ..._interfaces import AnyKey, check_bucket, check_key
from ..._key_use import allow_key
from ..._lives import check_removal_policy
from ..._metric_options import AnyMetric, MetricOptions
from ..._readable_help import CallSignature
from ..._resource_policy import open_to_account
from ..configuration._endpoint_requests import (
    deployment_request,
    endpoint_config_settings,
    model_network_request,
    retention_request,
    scaled_variants,
)
from ..configuration.endpoint_configuration import EndpointConfiguration
from ..configuration.endpoint_variant import EndpointVariant
from ..configuration.traffic_shifting import TrafficShifting
from ..machines._environment import check_environment
from ..machines._interfaces import check_model_image
from ..machines.model_image import ModelImage
from ._endpoint_name import LONGEST_NAME, check_endpoint_name, claim_endpoint_name
from ._endpoint_role import endpoint_role
from ._imported_endpoint import ImportedEndpoint, invoke_grant
from ._rollback_alarms import HasGuardrail, RollbackAlarms
from ._scaling_around_update import ScalingAroundUpdate
from .endpoint_metrics import EndpointMetrics


@jsii.implements(sagemaker.IEndpoint)
class InferenceEndpoint(Resource):
    """Serves one model behind a stable name; a deployment that changes the model or its configuration is the release.

    CloudFormation creates a new model and a new endpoint configuration with generated names, so that old and new never
    conflict. Then it updates the endpoint, whose traffic shifts as `traffic_shifting` says. When an alarm rolls the
    update back (`roll_back_on`), the deployment fails and CloudFormation rolls back too. `ModelReleaseWorkflow`
    releases with training, evaluation and checks.

    You can pass it wherever the CDK takes an `aws_sagemaker.IEndpoint`. Each `metric_…` takes the options of the CDK's
    metrics: `period`, `statistic`, `label`, `color`, `region`, `account`, `unit`; without them it is over one minute.

    Args:
        image: serves the model on port 8080, with `GET /ping` and `POST /invocations`.
        model_bucket: the bucket of the model's archive. The owner of a key of another account must allow this account;
            the app warns with the statement to add.
        model_key: the key of the model's archive, such as `models/2026-11-23/model.tar.gz`. Each release has a new key.
        endpoint_name: the name that clients invoke: lower-case letters, digits and inner hyphens, at most 63
            characters. Another name creates another endpoint. Default: derived from the construct's path.
        environment: variables of the serving container. Default: none.
        configuration: what the endpoint runs. Default: one `ml.m5.large`.
        traffic_shifting: how traffic shifts in an update. Default: all at once, and the old instances stay for 10
            minutes.
        encryption_key: encrypts volumes, and the logs of the function that scaling needs. The owner of an imported key
            must allow CloudWatch Logs to use it; the app warns with the statement to add. Default: a key is created.
        removal_policy: what happens to that key when it leaves the stack. Default: it is kept.

    Raises:
        InvalidArgumentError: an invalid argument, or a traffic step that the instance counts do not allow.

    Example:
        ```python
        sentiment = InferenceEndpoint(
            self,
            "Sentiment",
            image=model_image,
            model_bucket=bucket,
            model_key="models/2026-11-23/model.tar.gz",
            configuration=EndpointConfiguration(variants=[EndpointVariant(count=2)]),
            traffic_shifting=TrafficShifting.canary(instances=1),
        )
        sentiment.roll_back_on(EndpointAlarms(self, "SentimentAlarms", endpoint=sentiment, alerts_topic=topic))
        sentiment.grant_invoke(web.task_definition.task_role)
        ```
    """

    __signature__ = CallSignature()

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        image: ModelImage,
        model_bucket: s3.IBucket,
        model_key: str,
        endpoint_name: str | None = None,
        environment: Mapping[str, str] | None = None,
        configuration: EndpointConfiguration | None = None,
        traffic_shifting: TrafficShifting | None = None,
        encryption_key: AnyKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        _check(
            image=image,
            model_bucket=model_bucket,
            model_key=model_key,
            endpoint_name=endpoint_name,
            environment=environment,
            configuration=configuration,
            traffic_shifting=traffic_shifting,
            encryption_key=encryption_key,
        )
        check_removal_policy(removal_policy)
        configuration = configuration or EndpointConfiguration()
        traffic_shifting = traffic_shifting or TrafficShifting.all_at_once()
        deployment = deployment_request(traffic_shifting, configuration)
        # Known before deployment: alarms refer to the endpoint, and the endpoint to alarms, without a dependency cycle.
        self._endpoint_name = (
            endpoint_name or Names.unique_resource_name(self, max_length=LONGEST_NAME, separator="-").lower()
        )
        claim_endpoint_name(self, self._endpoint_name)
        self._endpoint_arn = stack_of(self).format_arn(
            service="sagemaker", resource="endpoint", resource_name=self._endpoint_name
        )
        self._metrics = EndpointMetrics(endpoint_name=self._endpoint_name, configuration=configuration)
        self._encryption_key: kms.IKey = encryption_key or kms.Key(
            self,
            "Key",
            description=f"Encrypts volumes of {self._endpoint_name}",
            enable_key_rotation=True,
            removal_policy=removal_policy,
        )
        self._role = endpoint_role(
            self,
            "Role",
            endpoint_name=self._endpoint_name,
            configuration=configuration,
            traffic_shifting=traffic_shifting,
            volume_key=self._encryption_key,
        )
        self._rollback_alarms = RollbackAlarms(self._role, traffic_shifting.rollback_alarms)
        allow(self._role, ["s3:GetObject"], model_bucket.arn_for_objects(model_key))
        open_to_account(
            model_bucket,
            model_bucket.bucket_arn,
            self._role,
            ["s3:GetObject"],
            model_bucket.arn_for_objects(model_key),
        )
        if model_bucket.encryption_key is not None:
            allow_key(self._role, model_bucket.encryption_key, ["kms:Decrypt"])
        self._cfn_model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=self._role.role_arn,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=image.bind(self, "Image", puller=self._role),
                model_data_url=f"s3://{model_bucket.bucket_name}/{model_key}",
                environment=dict(environment or {}),
            ),
            **_props(model_network_request(configuration)),
        )
        # SageMaker reads the archive with the role when it creates the model, so the role's policy must exist.
        self._cfn_model.node.add_dependency(self._role)
        self._cfn_endpoint_config = sagemaker.CfnEndpointConfig(
            self,
            "Configuration",
            **_props(
                endpoint_config_settings(
                    configuration,
                    model_name=self._cfn_model.attr_model_name,
                    volume_key_id=self._encryption_key.key_arn,
                )
            ),
        )
        if self._cfn_endpoint_config.kms_key_id is None:
            acknowledge(
                self._cfn_endpoint_config,
                Acknowledgment(
                    id="NIST.800.53.R5-SageMakerEndpointConfigurationKMSKeyConfigured",
                    reason="SageMaker refuses a key where instances bring disks of their own, which their hardware "
                    "encrypts, and where there are none.",
                ),
            )
        self._cfn_endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self._endpoint_name,
            endpoint_config_name=self._cfn_endpoint_config.attr_endpoint_config_name,
            deployment_config={
                **_declared(deployment),
                "autoRollbackConfiguration": self._rollback_alarms.at_synthesis(_declared),
            },
            **_props(retention_request(configuration)),
        )
        self.node.default_child = self._cfn_endpoint
        if scaled_variants(configuration):
            ScalingAroundUpdate(
                self,
                "Scaling",
                endpoint=self._cfn_endpoint,
                endpoint_name=self._endpoint_name,
                configuration=configuration,
                log_encryption_key=self._encryption_key,
            )

    @staticmethod
    def from_endpoint_arn(scope: Construct, id: str, endpoint_arn: str) -> sagemaker.IEndpoint:
        """Imports an existing endpoint. Its metrics come from `EndpointMetrics` with its name.

        Args:
            scope: where it is imported.
            id: its id there.
            endpoint_arn: its ARN, which may be of another account or region.

        Raises:
            InvalidArgumentError: an ARN that is not an endpoint's.
        """
        return ImportedEndpoint(scope, id, endpoint_arn=endpoint_arn)

    @staticmethod
    def from_endpoint_name(scope: Construct, id: str, endpoint_name: str) -> sagemaker.IEndpoint:
        """Imports an existing endpoint in the account and region of `scope`.

        Args:
            scope: where it is imported.
            id: its id there.
            endpoint_name: its name.

        Raises:
            InvalidArgumentError: an invalid name.
        """
        check_endpoint_name(endpoint_name)
        arn = stack_of(scope).format_arn(service="sagemaker", resource="endpoint", resource_name=endpoint_name)
        return ImportedEndpoint(scope, id, endpoint_arn=arn, endpoint_name=endpoint_name)

    @property
    def endpoint_name(self) -> str:
        """The endpoint's name, which is known before deployment."""
        return self._endpoint_name

    @property
    def endpoint_arn(self) -> str:
        """The endpoint's ARN."""
        return self._endpoint_arn

    @property
    def endpoint_ref(self) -> EndpointReference:
        """The reference to the endpoint that the CDK's L1 constructs accept."""
        return EndpointReference(endpoint_arn=self._endpoint_arn)

    @property
    def metrics(self) -> EndpointMetrics:
        """All metrics of the endpoint and of its variants."""
        return self._metrics

    @property
    def encryption_key(self) -> kms.IKey:
        """The key that encrypts volumes."""
        return self._encryption_key

    @property
    def role(self) -> iam.Role:
        """The role of the serving container."""
        return self._role

    @property
    def cfn_model(self) -> sagemaker.CfnModel:
        """The model; each release creates another one."""
        return self._cfn_model

    @property
    def cfn_endpoint_config(self) -> sagemaker.CfnEndpointConfig:
        """The endpoint configuration; each release creates another one."""
        return self._cfn_endpoint_config

    @property
    def cfn_endpoint(self) -> sagemaker.CfnEndpoint:
        """The endpoint that a release updates."""
        return self._cfn_endpoint

    def roll_back_on(self, alarms: Sequence[cloudwatch.IAlarm] | HasGuardrail) -> None:
        """Lets each of `alarms` roll an update back, in addition to the `rollback_alarms` of `traffic_shifting`.

        Call it after you created the alarms from this endpoint: they are read at synthesis.

        Args:
            alarms: `EndpointAlarms`, whose `guardrail_alarms` are added, or a list of alarms. Alarms that were added
                before are skipped.

        Raises:
            InvalidArgumentError: another argument, or more than ten alarms in total.
        """
        self._rollback_alarms.add(alarms)

    def grant_invoke(self, grantee: iam.IGrantable) -> iam.Grant:
        """Lets `grantee` invoke this endpoint, and no other.

        Args:
            grantee: the principal that may invoke it.
        """
        return invoke_grant(grantee, self._endpoint_arn)

    def metric_invocations(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Counts requests that the endpoint received.

        Args:
            options: those of the CDK's metrics.
        """
        return self._metrics.invocations(**options)

    def metric_client_errors(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Counts requests that the model answered with 4xx.

        Args:
            options: those of the CDK's metrics.
        """
        return self._metrics.client_errors(**options)

    def metric_server_errors(self, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Counts requests that ended in 5xx.

        Args:
            options: those of the CDK's metrics.
        """
        return self._metrics.server_errors(**options)

    def metric_model_latency(self, percentile: float = 99, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Measures the milliseconds that the container took.

        Args:
            percentile: percentile of the requests' times, from 1 to 100. Default: 99.
            options: those of the CDK's metrics.
        """
        return self._metrics.model_latency(percentile, **options)

    def metric_overhead_latency(self, percentile: float = 99, **options: "Unpack[MetricOptions]") -> AnyMetric:
        """Measures the milliseconds that SageMaker added.

        Args:
            percentile: percentile of the requests' times, from 1 to 100. Default: 99.
            options: those of the CDK's metrics.
        """
        return self._metrics.overhead_latency(percentile, **options)

    def metric_cpu(
        self, variant: EndpointVariant | None = None, **options: "Unpack[MetricOptions]"
    ) -> cloudwatch.Metric:
        """Measures the CPU of a variant's instances, percent of one core (average).

        Args:
            variant: the variant. Default: the first one.
            options: those of the CDK's metrics.
        """
        return self._metrics.cpu(variant or self._first, **options)

    def metric_gpu(
        self, variant: EndpointVariant | None = None, **options: "Unpack[MetricOptions]"
    ) -> cloudwatch.Metric:
        """Measures the GPU of a variant's instances, percent of one GPU (average).

        Args:
            variant: the variant. Default: the first one.
            options: those of the CDK's metrics.
        """
        return self._metrics.gpu(variant or self._first, **options)

    def metric_memory(
        self, variant: EndpointVariant | None = None, **options: "Unpack[MetricOptions]"
    ) -> cloudwatch.Metric:
        """Measures the memory that a variant's containers use, percent (average).

        Args:
            variant: the variant. Default: the first one.
            options: those of the CDK's metrics.
        """
        return self._metrics.memory(variant or self._first, **options)

    @property
    def _first(self) -> EndpointVariant:
        return self._metrics.configuration.variants[0]


def _check(
    *,
    image: ModelImage,
    model_bucket: s3.IBucket,
    model_key: str,
    endpoint_name: str | None,
    environment: Mapping[str, str] | None,
    configuration: EndpointConfiguration | None,
    traffic_shifting: TrafficShifting | None,
    encryption_key: kms.IKey | None,
) -> None:
    check_model_image("image", image)
    check_bucket("model_bucket", model_bucket)
    check_kind("model_key", model_key, str, "text")
    if not Token.is_unresolved(model_key) and (not model_key.endswith(".tar.gz") or model_key.startswith("/")):
        raise refusal(
            "model_key",
            model_key,
            "the key of the model's archive, which ends with .tar.gz and begins with no slash",
            "give one as 'models/2026-11-23/model.tar.gz'",
        )
    if endpoint_name is not None:
        check_endpoint_name(endpoint_name)
    if environment is not None:
        check_environment("environment", environment)
    if configuration is not None:
        check_kind("configuration", configuration, EndpointConfiguration)
    if traffic_shifting is not None:
        check_kind("traffic_shifting", traffic_shifting, TrafficShifting)
    if encryption_key is not None:
        check_key("encryption_key", encryption_key)


def _props(request: Mapping[str, object]) -> dict[str, Any]:
    """Returns a request of the API as keyword arguments of the L1 construct: the same names in snake case."""
    return {_snake(name): _declared(value) for name, value in request.items()}


def _declared(value: Any) -> Any:
    """Returns a value of a request in the form of the L1 construct's properties: names begin in lower case."""
    if isinstance(value, Mapping):
        return {_camel(name): _declared(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_declared(part) for part in value]
    return value


def _camel(name: str) -> str:
    # The CDK writes a unit at the end as a word: MemorySizeInMB is memorySizeInMb.
    name = name[:-1] + name[-1].lower() if name.endswith(("MB", "GB")) else name
    return name[0].lower() + name[1:]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
