"""The machine images of SageMaker reach endpoint and transform, and their drivers fit the image for GPUs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Annotations, Match, Template

from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointVariant,
    ModelEvaluation,
    TransformJob,
)
from cdk_fargate_sagemaker.sagemaker.machines._machine_image import INFERENCE_AMIS, TRANSFORM_AMIS
from tests.constructs.minimal.images import inference_endpoint

DOCKERFILE = Path(__file__).parents[3] / "container" / "inference" / "Dockerfile.gpu"

# ProductionVariant and TransformResources in the API's reference, November 2026
DRIVERS = {
    "al2-ami-sagemaker-inference-gpu-2": 535,
    "al2-ami-sagemaker-inference-gpu-2-1": 535,
    "al2-ami-sagemaker-inference-gpu-3-1": 550,
    "al2023-ami-sagemaker-inference-gpu-4-1": 580,
    "al2-ami-sagemaker-batch-gpu-470": 470,
    "al2-ami-sagemaker-batch-gpu-535": 535,
}
# https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html, November 2026
OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
# https://docs.aws.amazon.com/sagemaker/latest/dg/inference-gpu-drivers.html, November 2026: what they have by default
OLD_DRIVER_TYPES = ("ml.g4dn.xlarge", "ml.g5.xlarge", "ml.p4d.24xlarge", "ml.p4de.24xlarge")


def test_each_driver_is_known() -> None:
    assert set(DRIVERS) == {ami for ami in (*INFERENCE_AMIS, *TRANSFORM_AMIS) if "gpu" in ami}


@pytest.mark.parametrize("instance_type", OLD_DRIVER_TYPES)
def test_an_endpoints_default_driver_is_for_the_cuda_of_the_image(instance_type: str) -> None:
    ami = EndpointVariant(instance_type=instance_type).inference_ami
    assert ami is not None
    assert DRIVERS[ami] >= OLDEST_DRIVER[cuda()]


@pytest.mark.parametrize("instance_type", ["ml.g4dn.xlarge", "ml.g5.xlarge"])
def test_a_transforms_default_driver_is_for_the_cuda_of_the_image(instance_type: str) -> None:
    ami = TransformJob(instance_type=instance_type).transform_ami
    assert ami is not None
    assert DRIVERS[ami] >= OLDEST_DRIVER[cuda()]


def cuda() -> int:
    """The CUDA that the image for GPUs has."""
    (version,) = re.findall(r"^ARG BASE_IMAGE=nvidia/cuda:(\d+)\.", DOCKERFILE.read_text(), flags=re.MULTILINE)
    return int(version)


def test_it_reaches_the_declared_endpoint() -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    inference_endpoint(stack, EndpointVariant(instance_type="ml.g5.xlarge"))
    Template.from_stack(stack).has_resource_properties(
        "AWS::SageMaker::EndpointConfig",
        {
            "ProductionVariants": [
                Match.object_like(
                    {"InstanceType": "ml.g5.xlarge", "InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-3-1"}
                )
            ]
        },
    )


def test_it_reaches_the_calls_of_the_workflow(
    make_workflow: Callable[..., Any], definition_of: Callable[..., dict[str, Any]]
) -> None:
    ami = cdk.Token.as_string({"Ref": "MachineImage"})
    workflow = make_workflow(
        configuration=EndpointConfiguration(
            variants=[EndpointVariant(instance_type="ml.g6.xlarge", inference_ami=ami)]
        ),
        evaluate=ModelEvaluation(score_current=TransformJob(instance_type="ml.g5.xlarge")),
    )
    states = definition_of(Template.from_stack(cdk.Stack.of(workflow)))["States"]
    (variant,) = states["EndpointConfig-Step"]["Arguments"]["ProductionVariants"]
    assert variant["InferenceAmiVersion"] == "<MachineImage>"
    resources = states["Score-Current-Step"]["Arguments"]["TransformResources"]
    assert resources["TransformAmiVersion"] == "al2-ami-sagemaker-batch-gpu-535"


def test_without_one_the_calls_say_nothing(
    make_workflow: Callable[..., Any], definition_of: Callable[..., dict[str, Any]]
) -> None:
    definition = json.dumps(definition_of(Template.from_stack(cdk.Stack.of(make_workflow()))))
    assert "AmiVersion" not in definition


@pytest.mark.parametrize(
    ("serves", "scores", "warned"),
    [
        ("ml.g5.xlarge", "ml.m5.large", True),
        ("ml.m5.large", "ml.g5.xlarge", True),
        ("ml.g6.xlarge", "ml.g5.xlarge", False),
        ("ml.c6i.large", "ml.m5.large", False),
        (cdk.Token.as_string({"Ref": "Type"}), "ml.m5.large", False),
        ("ml.g5.xlarge", cdk.Token.as_string({"Ref": "Type"}), False),
    ],
)
def test_warns_when_one_image_has_to_run_on_both(
    make_workflow: Callable[..., Any], serves: str, scores: str, warned: bool
) -> None:
    workflow = make_workflow(
        configuration=EndpointConfiguration(variants=[EndpointVariant(instance_type=serves)]),
        evaluate=ModelEvaluation(score_current=TransformJob(instance_type=scores)),
    )
    found = Annotations.from_stack(cdk.Stack.of(workflow)).find_warning(
        "*", Match.string_like_regexp("score_current runs the inference image on .*few images run on both")
    )
    assert bool(found) is warned
