from typing import Any

import botocore.session
import pytest
from aws_cdk import Duration, Token
from botocore.model import StringShape

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_fargate_sagemaker.sagemaker import EndpointScaling, EndpointVariant, ServerlessInference
from cdk_fargate_sagemaker.sagemaker.machines._machine_image import INFERENCE_AMIS
from tests.constructs.known_at_deployment import whole

SCALING = EndpointScaling(min_instances=2, max_instances=6, invocations_per_instance=600)


@pytest.mark.parametrize("given", ["ml.m5.large", "m5.large"])
def test_an_instance_type_is_named_as_sagemaker_names_it(given: str) -> None:
    assert EndpointVariant(instance_type=given).instance_type == "ml.m5.large"


def test_an_instance_type_that_comes_at_deployment_stays() -> None:
    token = Token.as_string({"Ref": "InstanceType"})
    assert EndpointVariant(instance_type=token).instance_type == token


def test_without_anything_one_instance_serves() -> None:
    variant = EndpointVariant()
    assert (variant.name, variant.instance_type, variant.count, variant.weight) == ("primary", "ml.m5.large", 1, 1)


def test_a_release_starts_with_what_scaling_keeps() -> None:
    assert EndpointVariant(scaling=SCALING).count == 2
    assert EndpointVariant(scaling=SCALING, count=4).count == 4


def test_a_serverless_variant_has_no_instances() -> None:
    variant = EndpointVariant(serverless=ServerlessInference())
    assert (variant.instance_type, variant.count) == (None, None)


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        # SageMaker's own has the driver 470 there, for CUDA 11.4.
        ("ml.g4dn.xlarge", "al2-ami-sagemaker-inference-gpu-3-1"),
        ("g5.12xlarge", "al2-ami-sagemaker-inference-gpu-3-1"),
        ("ml.p4d.24xlarge", "al2-ami-sagemaker-inference-gpu-3-1"),
        ("ml.p4de.24xlarge", "al2-ami-sagemaker-inference-gpu-3-1"),
        # And 535 or later here.
        ("ml.g6.xlarge", None),
        ("ml.p5.48xlarge", None),
        # The last driver for its GPUs is 470.
        ("ml.p2.xlarge", None),
        ("ml.inf2.xlarge", None),
        ("ml.m5.large", None),
        (Token.as_string({"Ref": "InstanceType"}), None),
    ],
)
def test_a_gpu_has_a_driver_for_cuda_12(instance_type: str, expected: str | None) -> None:
    assert EndpointVariant(instance_type=instance_type).inference_ami == expected


@pytest.mark.parametrize("ami", INFERENCE_AMIS)
def test_each_machine_image_of_sagemaker_can_be_chosen(ami: str) -> None:
    instance_type = "ml.inf2.xlarge" if "neuron" in ami else "ml.g5.xlarge"
    assert EndpointVariant(instance_type=instance_type, inference_ami=ami).inference_ami == ami


def test_the_machine_images_are_those_of_the_api() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    versions = model.shape_for("ProductionVariantInferenceAmiVersion")
    assert isinstance(versions, StringShape)
    assert set(INFERENCE_AMIS) == set(versions.enum)


def test_a_machine_image_that_comes_at_deployment_stays() -> None:
    token = Token.as_string({"Ref": "MachineImage"})
    assert EndpointVariant(instance_type="ml.g5.xlarge", inference_ami=token).inference_ami == token
    assert EndpointVariant(inference_ami=token).inference_ami == token


@pytest.mark.parametrize("given", ["ml.", "ml.ml.m5.large", "large", "ml.m5.huge", "M5.large", "ml.m5.large "])
def test_fails_when_it_is_no_instance_type(given: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"instance_type: got '{given}', allowed: a SageMaker instance type"):
        EndpointVariant(instance_type=given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "count: got 0, allowed: a whole number, at least 1"),
        ({"count": -1}, "count: got -1, allowed: a whole number, at least 1"),
        ({"count": 1, "scaling": SCALING}, "count: got 1, allowed: scaling's .*, 2 to 6"),
        ({"count": 7, "scaling": SCALING}, "count: got 7, allowed: scaling's .*, 2 to 6"),
        ({"name": "a b"}, "name: got 'a b', allowed: 1 to 63 letters, digits and inner hyphens"),
        ({"name": ""}, "name: got '', allowed: 1 to 63 letters"),
        ({"name": "a" * 64}, "name: got 'aaa.*, allowed: 1 to 63 letters"),
        ({"weight": -1}, "weight: got -1, allowed: a number, at least 0"),
        ({"weight": float("nan")}, "weight: got nan, allowed: a number, at least 0"),
        ({"volume_gib": 0}, "volume_gib: got 0, allowed: a whole number, 1 to 512"),
        ({"volume_gib": 513}, "volume_gib: got 513, allowed: a whole number, 1 to 512"),
        ({"startup_timeout": Duration.seconds(59)}, "startup_timeout: got 59 seconds, allowed: .*1 minute to 1 h"),
        ({"startup_timeout": Duration.seconds(3601)}, "startup_timeout: got 1 hour 1 second, allowed"),
        (
            {"instance_type": "ml.t2.medium", "scaling": SCALING},
            "scaling: got one for ml.t2.medium, allowed: none for",
        ),
        (
            {"serverless": ServerlessInference(), "count": 2},
            "count: got 2, allowed: none beside serverless, which has no",
        ),
        (
            {"serverless": ServerlessInference(), "instance_type": "m5.large"},
            "got 'm5.large', allowed: none beside",
        ),
        (
            {"serverless": ServerlessInference(), "scaling": SCALING},
            "scaling: got an EndpointScaling, allowed: none",
        ),
        ({"serverless": ServerlessInference(), "volume_gib": 5}, "volume_gib: got 5, allowed: none beside serverless"),
    ],
)
def test_fails_when_sagemaker_would_refuse_it(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        EndpointVariant(**given)


def test_what_comes_at_deployment_is_not_judged() -> None:
    number, text = whole(Token.as_number({"Ref": "Count"})), Token.as_string({"Ref": "Name"})
    variant = EndpointVariant(name=text, count=number, weight=number, volume_gib=number, scaling=SCALING)
    assert variant.count == number
