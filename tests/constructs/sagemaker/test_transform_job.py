import re
from typing import Any

import botocore.session
import pytest
from aws_cdk import Duration, Token
from botocore.model import StructureShape

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_fargate_sagemaker.sagemaker import TransformJob
from cdk_fargate_sagemaker.sagemaker.machines._machine_image import TRANSFORM_AMIS


def test_an_instance_type_is_named_as_sagemaker_names_it() -> None:
    assert TransformJob(instance_type="m6i.large").instance_type == "ml.m6i.large"


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("ml.g4dn.xlarge", "al2-ami-sagemaker-batch-gpu-535"),
        ("ml.g5.xlarge", "al2-ami-sagemaker-batch-gpu-535"),
        ("ml.g6.xlarge", None),
        ("ml.p3.2xlarge", None),
        ("ml.m5.large", None),
    ],
)
def test_a_gpu_has_a_driver_for_cuda_12(instance_type: str, expected: str | None) -> None:
    assert TransformJob(instance_type=instance_type).transform_ami == expected


@pytest.mark.parametrize("ami", TRANSFORM_AMIS)
def test_each_machine_image_of_sagemaker_can_be_chosen(ami: str) -> None:
    assert TransformJob(instance_type="ml.g5.xlarge", transform_ami=ami).transform_ami == ami


def test_the_machine_images_are_those_of_the_api() -> None:
    """Its model has no list of them, but names them where it describes what they are for."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    resources = model.shape_for("TransformResources")
    assert isinstance(resources, StructureShape)
    described = resources.members["TransformAmiVersion"].documentation
    assert set(TRANSFORM_AMIS) == set(re.findall(r"<dt>([\w-]+)</dt>", described))


def test_a_machine_image_that_comes_at_deployment_stays() -> None:
    token = Token.as_string({"Ref": "MachineImage"})
    assert TransformJob(transform_ami=token).transform_ami == token


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"instance_type": "large"}, "instance_type: got 'large', allowed: a SageMaker instance type"),
        ({"instance_type": "ml.t2.medium"}, "instance_type: got 'ml.t2.medium', allowed: .* not burstable"),
        ({"max_runtime": Duration.seconds(59)}, "max_runtime: got 59 seconds, allowed: .*at least 1 minute"),
    ],
)
def test_fails_when_sagemaker_would_refuse(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        TransformJob(**given)
