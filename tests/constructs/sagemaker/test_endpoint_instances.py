import pytest
from aws_cdk import Token

from cdk_fargate_sagemaker.sagemaker import EndpointInstances


@pytest.mark.parametrize("given", ["ml.m5.large", "m5.large"])
def test_an_instance_type_is_named_as_sagemaker_names_it(given: str) -> None:
    assert EndpointInstances(instance_type=given).instance_type == "ml.m5.large"


def test_an_instance_type_that_comes_at_deployment_stays() -> None:
    token = Token.as_string({"Ref": "InstanceType"})
    assert EndpointInstances(instance_type=token).instance_type == token


@pytest.mark.parametrize("given", ["", "ml.", "ml.ml.m5.large", "large", "ml.m5.huge", "M5.large", "ml.m5.large "])
def test_fails_when_it_is_no_instance_type(given: str) -> None:
    with pytest.raises(ValueError, match=f"instance_type is '{given}': give a SageMaker instance type"):
        EndpointInstances(instance_type=given)


@pytest.mark.parametrize("count", [0, -1])
def test_fails_when_nothing_would_serve(count: int) -> None:
    with pytest.raises(ValueError, match=f"count is {count}: an endpoint needs at least 1 instance"):
        EndpointInstances(count=count)
