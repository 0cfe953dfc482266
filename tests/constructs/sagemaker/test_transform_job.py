from typing import Any

import pytest
from aws_cdk import Duration

from cdk_fargate_sagemaker.sagemaker import TransformJob


def test_an_instance_type_is_named_as_sagemaker_names_it() -> None:
    assert TransformJob(instance_type="m6i.large").instance_type == "ml.m6i.large"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"instance_type": "large"}, "instance_type is 'large': give a SageMaker instance type"),
        ({"instance_type": "ml.t2.medium"}, "instance_type is 'ml.t2.medium': SageMaker transforms on no burstable"),
        ({"max_runtime": Duration.seconds(59)}, "max_runtime is 59 seconds: give at least 1 minute"),
    ],
)
def test_fails_when_sagemaker_would_refuse(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformJob(**given)
