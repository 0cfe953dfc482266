"""The requests are valid as the API's own model has it, and say what the settings say."""

from typing import Any

import aws_cdk as cdk
import botocore.session
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from botocore.validate import ParamValidator

from cdk_fargate_sagemaker.sagemaker import (
    DataCapture,
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    ServerlessInference,
    ShadowVariant,
    TrafficShifting,
    VpcPlacement,
)
from cdk_fargate_sagemaker.sagemaker.configuration._endpoint_requests import (
    deployment_request,
    endpoint_config_request,
    longest_waits,
    model_network_request,
    register_scalable_target_request,
    scalable_target,
    scaled_variants,
    scaling_policy_request,
)
from tests.constructs.known_at_deployment import whole

SCALING = EndpointScaling(
    min_instances=2,
    max_instances=6,
    invocations_per_instance=600,
    scale_out_cooldown=cdk.Duration.minutes(1),
    scale_in_cooldown=cdk.Duration.minutes(10),
)


def accepted(service: str, operation: str, request: Any) -> Any:
    """The request as it was given, once botocore finds nothing wrong with it."""
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    return request


def configured(configuration: EndpointConfiguration) -> Any:
    request = endpoint_config_request(configuration, name="release-1", model_name="release-1", volume_key_id="key")
    return accepted("sagemaker", "CreateEndpointConfig", request)


def updated(shifting: TrafficShifting, configuration: EndpointConfiguration | None = None) -> Any:
    configuration = configuration or EndpointConfiguration(variants=[EndpointVariant(count=4)])
    deployment = deployment_request(shifting, configuration)
    request = {"EndpointName": "moderation", "EndpointConfigName": "release-1", "DeploymentConfig": deployment}
    return accepted("sagemaker", "UpdateEndpoint", request)["DeploymentConfig"]


def test_a_variant_names_its_machine_image() -> None:
    variants = [
        EndpointVariant(name="gpu", instance_type="ml.g5.xlarge"),
        EndpointVariant(name="newer", instance_type="g6.xlarge", inference_ami="al2-ami-sagemaker-inference-gpu-3-1"),
        EndpointVariant(name="cpu"),
    ]
    requests = configured(EndpointConfiguration(variants=variants))["ProductionVariants"]
    ami = "al2-ami-sagemaker-inference-gpu-3-1"
    assert [request.get("InferenceAmiVersion") for request in requests] == [ami, ami, None]
    shadow = ShadowVariant(percent=20, variant=EndpointVariant(name="shadow", instance_type="ml.g5.xlarge"))
    (copied,) = configured(EndpointConfiguration(shadow=shadow))["ShadowProductionVariants"]
    assert copied["InferenceAmiVersion"] == ami


def test_a_variant_runs_on_instances() -> None:
    variant = EndpointVariant(
        instance_type="ml.c6i.large",
        count=3,
        weight=2,
        volume_gib=20,
        startup_timeout=cdk.Duration.minutes(5),
    )
    assert configured(EndpointConfiguration(variants=[variant])) == {
        "EndpointConfigName": "release-1",
        "KmsKeyId": "key",
        "ProductionVariants": [
            {
                "VariantName": "primary",
                "ModelName": "release-1",
                "InstanceType": "ml.c6i.large",
                "InitialInstanceCount": 3,
                "InitialVariantWeight": 2,
                "VolumeSizeInGB": 20,
                "ContainerStartupHealthCheckTimeoutInSeconds": 300,
            }
        ],
    }


def test_what_is_not_given_is_left_to_sagemaker() -> None:
    (variant,) = configured(EndpointConfiguration())["ProductionVariants"]
    assert set(variant) == {"VariantName", "ModelName", "InstanceType", "InitialInstanceCount", "InitialVariantWeight"}


def test_a_variant_is_serverless() -> None:
    serverless = ServerlessInference(memory_mib=3072, max_concurrency=20, provisioned_concurrency=2)
    request = configured(EndpointConfiguration(variants=[EndpointVariant(serverless=serverless)]))
    (variant,) = request["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 3072, "MaxConcurrency": 20, "ProvisionedConcurrency": 2}
    assert "InstanceType" not in variant
    assert "KmsKeyId" not in request


def test_volumes_have_a_key_unless_an_instance_brings_its_own_disks() -> None:
    plain, own_disks = EndpointVariant(), EndpointVariant(name="gpu", instance_type="ml.g5.xlarge")
    assert "KmsKeyId" in configured(EndpointConfiguration(variants=[plain]))
    assert "KmsKeyId" not in configured(EndpointConfiguration(variants=[plain, own_disks]))


def test_several_variants_share_the_requests_and_may_serve_other_models() -> None:
    variants = [EndpointVariant(weight=9), EndpointVariant(name="rival", weight=1, model_name="rival-7")]
    request = configured(EndpointConfiguration(variants=variants))
    assert [(v["VariantName"], v["ModelName"], v["InitialVariantWeight"]) for v in request["ProductionVariants"]] == [
        ("primary", "release-1", 9),
        ("rival", "rival-7", 1),
    ]


def test_a_shadow_gets_its_share_of_the_requests() -> None:
    shadow = ShadowVariant(percent=25, variant=EndpointVariant(name="shadow", instance_type="ml.c7g.large"))
    request = configured(EndpointConfiguration(variants=[EndpointVariant(weight=2)], shadow=shadow))
    (copied,) = request["ShadowProductionVariants"]
    assert (copied["VariantName"], copied["InstanceType"], copied["InitialVariantWeight"]) == (
        "shadow",
        "ml.c7g.large",
        0.5,
    )


def test_requests_and_answers_are_captured(stack: cdk.Stack) -> None:
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "kept")
    request = configured(EndpointConfiguration(data_capture=DataCapture(bucket=bucket, percent=30, prefix="seen/")))
    assert request["DataCaptureConfig"] == {
        "EnableCapture": True,
        "InitialSamplingPercentage": 30,
        "DestinationS3Uri": "s3://kept/seen/",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
    }


def test_captures_are_encrypted_with_the_key(stack: cdk.Stack) -> None:
    key = kms.Key(stack, "Key")
    capture = DataCapture(bucket=s3.Bucket(stack, "Bucket", encryption_key=key))
    assert configured(EndpointConfiguration(data_capture=capture))["DataCaptureConfig"]["KmsKeyId"] == key.key_arn


def test_a_model_is_placed_in_a_vpc(stack: cdk.Stack, vpc: ec2.IVpc) -> None:
    group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1")
    placement = VpcPlacement(vpc=vpc, security_groups=[group])
    request = model_network_request(EndpointConfiguration(vpc=placement, network_isolation=False))
    accepted("sagemaker", "CreateModel", {"ModelName": "release-1", **request})
    assert request == {
        "EnableNetworkIsolation": False,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-aaaaaaaa", "subnet-bbbbbbbb"]},
    }


def test_a_model_reaches_nothing_unless_it_is_allowed_to() -> None:
    assert model_network_request(EndpointConfiguration()) == {"EnableNetworkIsolation": True}


def test_all_at_once() -> None:
    shifting = TrafficShifting.all_at_once(bake=cdk.Duration.minutes(3), max_duration=cdk.Duration.hours(1))
    assert updated(shifting) == {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
            "TerminationWaitInSeconds": 180,
            "MaximumExecutionTimeoutInSeconds": 3600,
        }
    }


def test_canary() -> None:
    policy = updated(TrafficShifting.canary(percent=10, wait=cdk.Duration.minutes(2)))["BlueGreenUpdatePolicy"]
    assert policy == {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
            "WaitIntervalInSeconds": 120,
        },
        "TerminationWaitInSeconds": 600,
    }


def test_linear() -> None:
    policy = updated(TrafficShifting.linear(instances=2))["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"] == {
        "Type": "LINEAR",
        "LinearStepSize": {"Type": "INSTANCE_COUNT", "Value": 2},
        "WaitIntervalInSeconds": 300,
    }


@pytest.mark.parametrize(
    ("shifting", "variant", "minutes"),
    [
        (TrafficShifting.all_at_once(), EndpointVariant(), 10),
        (TrafficShifting.canary(instances=1), EndpointVariant(count=8), 15),
        (TrafficShifting.linear(percent=25), EndpointVariant(count=8), 25),
        (TrafficShifting.linear(instances=1), EndpointVariant(count=8), 45),
        (TrafficShifting.linear(instances=3), EndpointVariant(count=8), 20),
        # However far it has scaled out; SageMaker refuses steps of less than a tenth.
        (TrafficShifting.linear(instances=1), EndpointVariant(scaling=SCALING), 35),
        (TrafficShifting.linear(instances=2), EndpointVariant(count=whole(cdk.Token.as_number({"Ref": "Count"}))), 55),
        (TrafficShifting.linear(instances=whole(cdk.Token.as_number({"Ref": "Step"}))), EndpointVariant(count=8), 55),
    ],
)
def test_steps_that_count_instances_are_waited_for_each(
    shifting: TrafficShifting, variant: EndpointVariant, minutes: int
) -> None:
    waits = longest_waits(shifting, EndpointConfiguration(variants=[EndpointVariant(name="small", count=2), variant]))
    assert waits is not None
    assert waits.to_minutes() == minutes


@pytest.mark.parametrize(
    ("shifting", "count", "message"),
    [
        (
            TrafficShifting.canary(percent=10),
            1,
            "traffic_shifting: got canary for the 1 instance of variant primary, allowed: 2 instances or more",
        ),
        (TrafficShifting.canary(instances=3), 4, "instances: got 3, allowed: 1 to 2 of the 4 of variant primary"),
        (TrafficShifting.linear(instances=1), 20, "instances: got 1, allowed: 2 to 10 of the 20 of variant primary"),
    ],
)
def test_fails_when_a_step_is_not_possible(shifting: TrafficShifting, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        updated(shifting, EndpointConfiguration(variants=[EndpointVariant(count=count)]))


def test_fails_when_a_step_counts_the_instances_of_a_serverless_variant() -> None:
    serverless = EndpointConfiguration(variants=[EndpointVariant(serverless=ServerlessInference())])
    assert updated(TrafficShifting.canary(percent=10), serverless)
    with pytest.raises(
        ValueError, match="instances: got 1, allowed: none: variant primary is serverless; give percent"
    ):
        updated(TrafficShifting.canary(instances=1), serverless)


def test_a_count_that_comes_at_deployment_is_not_judged() -> None:
    variant = EndpointVariant(count=whole(cdk.Token.as_number({"Ref": "Count"})))
    assert updated(TrafficShifting.canary(instances=7), EndpointConfiguration(variants=[variant]))


def test_only_variants_with_scaling_are_scaled() -> None:
    scaled = EndpointVariant(name="scaled", scaling=SCALING)
    configuration = EndpointConfiguration(variants=[EndpointVariant(), scaled])
    assert scaled_variants(configuration) == [(scaled, SCALING)]


def test_a_variant_follows_its_load() -> None:
    variant = EndpointVariant(scaling=SCALING)
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "endpoint/moderation/variant/primary",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    service = "application-autoscaling"
    assert accepted(service, "DeregisterScalableTarget", scalable_target("moderation", variant)) == target
    registration = register_scalable_target_request("moderation", variant, SCALING)
    assert accepted(service, "RegisterScalableTarget", registration) == {**target, "MinCapacity": 2, "MaxCapacity": 6}
    policy = scaling_policy_request("moderation", variant, SCALING)
    assert accepted(service, "PutScalingPolicy", policy) == {
        **target,
        "PolicyName": "invocations",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 600,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 600,
        },
    }
