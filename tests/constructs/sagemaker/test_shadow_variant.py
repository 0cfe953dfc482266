import pytest
from aws_cdk import Token

from cdk_fargate_sagemaker.sagemaker import (
    EndpointConfiguration,
    EndpointScaling,
    EndpointVariant,
    ServerlessInference,
    ShadowVariant,
)


@pytest.mark.parametrize("percent", [0, -1, 100.5, float("nan")])
def test_fails_when_it_is_no_share_of_the_requests(percent: float) -> None:
    with pytest.raises(ValueError, match=rf"percent: got {percent}, allowed: a number, above 0, at most 100"):
        ShadowVariant(percent=percent)


def test_fails_when_it_is_serverless() -> None:
    with pytest.raises(
        ValueError, match="variant: got an EndpointVariant, allowed: one on instances, on which alone SageMaker shadows"
    ):
        ShadowVariant(percent=10, variant=EndpointVariant(name="shadow", serverless=ServerlessInference()))


def test_fails_when_it_is_scaled() -> None:
    scaling = EndpointScaling(max_instances=2, invocations_per_instance=100)
    with pytest.raises(
        ValueError, match="variant: got an EndpointVariant, allowed: one without scaling; a shadow keeps its count"
    ):
        ShadowVariant(percent=10, variant=EndpointVariant(name="shadow", scaling=scaling))


def test_fails_when_its_weight_could_not_be_computed() -> None:
    token = Token.as_number({"Ref": "Percent"})
    with pytest.raises(ValueError, match="percent: got a token, known at deployment only, allowed: a number, above 0"):
        ShadowVariant(percent=token)
    with pytest.raises(ValueError, match="weight: got a token, known at deployment only, allowed: a number, known at"):
        EndpointConfiguration(variants=[EndpointVariant(weight=token)], shadow=ShadowVariant(percent=10))
