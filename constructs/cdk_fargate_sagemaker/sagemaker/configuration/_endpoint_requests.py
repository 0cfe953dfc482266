"""An endpoint's settings as requests of SageMaker's API: the release workflow sends them, a template declares them."""

import math
from collections.abc import Mapping, Sequence

from aws_cdk import Duration

from ..._checks import plain, refusal
from ..._number_token import is_token
from ..machines._instance_type import has_local_disks
from ..machines.vpc_placement import vpc_config
from .data_capture import DataCapture
from .endpoint_configuration import EndpointConfiguration
from .endpoint_scaling import EndpointScaling
from .endpoint_variant import EndpointVariant
from .traffic_shifting import TrafficShifting

Request = dict[str, object]

SCALABLE_DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_POLICY_NAME = "invocations"
# SageMaker refuses a linear step of less than a tenth of the instances.
_MOST_LINEAR_STEPS = 10


def endpoint_config_request(
    configuration: EndpointConfiguration, *, name: str, model_name: str, volume_key_id: str
) -> Request:
    """Returns the request of `createEndpointConfig`.

    A variant without a model of its own serves `model_name`.

    SageMaker encrypts the volumes of all variants with one key. The request has no key if a variant is serverless or
    has an instance type with local disks: SageMaker refuses a key for these types, and their hardware encrypts the
    disks.
    """
    return {
        "EndpointConfigName": name,
        **endpoint_config_settings(configuration, model_name=model_name, volume_key_id=volume_key_id),
    }


def endpoint_config_settings(configuration: EndpointConfiguration, *, model_name: str, volume_key_id: str) -> Request:
    """Returns an endpoint configuration without its name, as a template declares it.

    CloudFormation generates the name: each change replaces the configuration by one with another name.
    """
    request: Request = {
        "ProductionVariants": [
            _variant(variant, model_name=model_name, weight=variant.weight) for variant in configuration.variants
        ],
    }
    if (shadow := configuration.shadow) is not None:
        request["ShadowProductionVariants"] = [
            _variant(
                shadow.variant,
                model_name=model_name,
                # SageMaker copies this share of the requests: the shadow's weight divided by the variant's.
                weight=configuration.variants[0].weight * shadow.percent / 100,
            )
        ]
    if configuration.data_capture is not None:
        request["DataCaptureConfig"] = _data_capture(configuration.data_capture)
    if all(_takes_volume_key(variant) for variant in configuration.all_variants):
        request["KmsKeyId"] = volume_key_id
    return request


def model_network_request(configuration: EndpointConfiguration) -> Request:
    """Returns the network settings for `createModel`: isolation, and the subnets and security groups of a VPC."""
    return {"EnableNetworkIsolation": configuration.network_isolation, **vpc_config(configuration.vpc)}


def deployment_request(shifting: TrafficShifting, configuration: EndpointConfiguration) -> Request:
    """Returns the `DeploymentConfig` of `updateEndpoint` without the alarms, which `RollbackAlarms` adds.

    Raises:
        InvalidArgumentError: a step that a variant's instance count does not allow.
    """
    check_steps(shifting, configuration)
    routing: Request = {"Type": shifting.kind, "WaitIntervalInSeconds": shifting.wait.to_seconds()}
    if shifting.kind != "ALL_AT_ONCE":
        routing["CanarySize" if shifting.kind == "CANARY" else "LinearStepSize"] = (
            {"Type": "CAPACITY_PERCENT", "Value": shifting.percent}
            if shifting.percent is not None
            else {"Type": "INSTANCE_COUNT", "Value": shifting.instances}
        )
    policy: Request = {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": shifting.bake.to_seconds(),
    }
    if shifting.max_duration is not None:
        policy["MaximumExecutionTimeoutInSeconds"] = shifting.max_duration.to_seconds()
    return {"BlueGreenUpdatePolicy": policy}


def retention_request(configuration: EndpointConfiguration) -> Request:
    """Returns the settings of `updateEndpoint` that keep the current instance counts; empty if no variant scales.

    Without them, an update under load would start with the counts of the configuration. The API keeps the counts of all
    variants or of none. Weights and data capture come from the new configuration.
    """
    if not scaled_variants(configuration):
        return {}
    return {
        "RetainAllVariantProperties": True,
        "ExcludeRetainedVariantProperties": [
            {"VariantPropertyType": kept} for kept in ("DesiredWeight", "DataCaptureConfig")
        ],
    }


def check_steps(shifting: TrafficShifting, configuration: EndpointConfiguration) -> None:
    """Refuses a step that a variant's instance count does not allow.

    Raises:
        InvalidArgumentError: see above.
    """
    instances = shifting.instances
    if shifting.kind == "ALL_AT_ONCE":
        return
    for variant in configuration.variants:
        count = variant.count
        if count is None:
            if instances is not None:
                raise refusal(
                    "instances", instances, f"none: variant {variant.name} is serverless", "give percent instead"
                )
            continue
        if is_token(count):
            continue
        if count == 1:
            raise refusal(
                "traffic_shifting",
                plain(f"{shifting.kind.lower()} for the 1 instance of variant {variant.name}"),
                "2 instances or more, of which at most half go over at once",
                "give it more, or shift all at once",
            )
        if instances is None or is_token(instances):
            continue
        least = -(-count // 10) if shifting.kind == "LINEAR" else 1
        if not least <= instances <= count // 2:
            raise refusal(
                "instances",
                instances,
                f"{least} to {count // 2} of the {count} of variant {variant.name}",
                "give another count, or percent",
            )


def longest_waits(shifting: TrafficShifting, configuration: EndpointConfiguration) -> Duration | None:
    """Returns the maximum time that a deployment waits: between its steps, and for `bake` after the last.

    If `instances` sets the size of linear steps, their number is that of the variants at their maximum instance counts.
    None if a time is known only at deployment.
    """
    waits = shifting.waits
    if waits is None or shifting.kind != "LINEAR" or shifting.instances is None:
        return waits
    steps = max(_most_steps(shifting.instances, variant) for variant in configuration.variants)
    return Duration.seconds((steps - 1) * shifting.wait.to_seconds() + shifting.bake.to_seconds())


def _most_steps(instances: int, variant: EndpointVariant) -> int:
    most = variant.scaling.max_instances if variant.scaling is not None else variant.count
    if most is None or is_token(most) or is_token(instances):
        return _MOST_LINEAR_STEPS
    return min(math.ceil(most / instances), _MOST_LINEAR_STEPS)


def scaled_variants(configuration: EndpointConfiguration) -> Sequence[tuple[EndpointVariant, EndpointScaling]]:
    """Returns the variants that scale, each with its scaling."""
    return [(variant, variant.scaling) for variant in configuration.variants if variant.scaling is not None]


def scalable_target(endpoint_name: str, variant: EndpointVariant) -> Request:
    """Returns the fields that identify a variant in Application Auto Scaling.

    They are the request of `deregisterScalableTarget`, and part of other requests.
    """
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint_name}/variant/{variant.name}",
        "ScalableDimension": SCALABLE_DIMENSION,
    }


def register_scalable_target_request(endpoint_name: str, variant: EndpointVariant, scaling: EndpointScaling) -> Request:
    """Returns the request of `registerScalableTarget`. The endpoint must be in service."""
    return {
        **scalable_target(endpoint_name, variant),
        "MinCapacity": scaling.min_instances,
        "MaxCapacity": scaling.max_instances,
    }


def scaling_policy_request(endpoint_name: str, variant: EndpointVariant, scaling: EndpointScaling) -> Request:
    """Returns the request of `putScalingPolicy`. The variant must be registered."""
    return {
        **scalable_target(endpoint_name, variant),
        "PolicyName": _POLICY_NAME,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": scaling.invocations_per_instance,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "ScaleOutCooldown": scaling.scale_out_cooldown.to_seconds(),
            "ScaleInCooldown": scaling.scale_in_cooldown.to_seconds(),
        },
    }


def _variant(variant: EndpointVariant, *, model_name: str, weight: float) -> Request:
    request: Request = {
        "VariantName": variant.name,
        "ModelName": variant.model_name or model_name,
        "InitialVariantWeight": weight,
    }
    if (serverless := variant.serverless) is not None:
        sizes: Request = {"MemorySizeInMB": serverless.memory_mib, "MaxConcurrency": serverless.max_concurrency}
        if serverless.provisioned_concurrency is not None:
            sizes["ProvisionedConcurrency"] = serverless.provisioned_concurrency
        return {**request, "ServerlessConfig": sizes}
    request |= {"InstanceType": variant.instance_type, "InitialInstanceCount": variant.count}
    if variant.volume_gib is not None:
        request["VolumeSizeInGB"] = variant.volume_gib
    if variant.inference_ami is not None:
        request["InferenceAmiVersion"] = variant.inference_ami
    if variant.startup_timeout is not None:
        request["ContainerStartupHealthCheckTimeoutInSeconds"] = variant.startup_timeout.to_seconds()
    return request


def _takes_volume_key(variant: EndpointVariant) -> bool:
    return variant.instance_type is not None and not has_local_disks(variant.instance_type)


def _data_capture(capture: DataCapture) -> Mapping[str, object]:
    request: Request = {
        "EnableCapture": True,
        "InitialSamplingPercentage": capture.percent,
        "DestinationS3Uri": f"s3://{capture.bucket.bucket_name}/{capture.prefix}",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        # JSON is stored unchanged. Bodies of content types that are not listed here are stored in base64.
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
    }
    if capture.encryption_key is not None:
        request["KmsKeyId"] = capture.encryption_key.key_arn
    return request
