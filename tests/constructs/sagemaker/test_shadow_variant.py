import pytest
from aws_cdk import Token

from cdk_fargate_sagemaker.sagemaker import EndpointScaling, EndpointVariant, ServerlessInference, ShadowVariant


@pytest.mark.parametrize("percent", [0, -1, 100.5, float("nan")])
def test_fails_when_it_is_no_share_of_the_requests(percent: float) -> None:
    with pytest.raises(ValueError, match=rf"percent is {percent}: give above 0, at most 100"):
        ShadowVariant(percent=percent)


def test_fails_when_it_is_serverless() -> None:
    with pytest.raises(ValueError, match="variant is serverless: SageMaker shadows on instances alone"):
        ShadowVariant(percent=10, variant=EndpointVariant(name="shadow", serverless=ServerlessInference()))


def test_fails_when_it_is_scaled() -> None:
    scaling = EndpointScaling(max_instances=2, invocations_per_instance=100)
    with pytest.raises(ValueError, match="variant has scaling: a shadow keeps its count"):
        ShadowVariant(percent=10, variant=EndpointVariant(name="shadow", scaling=scaling))


def test_a_share_that_comes_at_deployment_is_not_judged() -> None:
    token = Token.as_number({"Ref": "Percent"})
    assert ShadowVariant(percent=token).percent == token
