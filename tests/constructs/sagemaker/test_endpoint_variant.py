from typing import Any

import pytest
from aws_cdk import Duration, Token

from cdk_fargate_sagemaker.sagemaker import EndpointScaling, EndpointVariant, ServerlessInference

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


@pytest.mark.parametrize("given", ["ml.", "ml.ml.m5.large", "large", "ml.m5.huge", "M5.large", "ml.m5.large "])
def test_fails_when_it_is_no_instance_type(given: str) -> None:
    with pytest.raises(ValueError, match=f"instance_type is '{given}': give a SageMaker instance type"):
        EndpointVariant(instance_type=given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "count is 0: a variant needs at least 1 instance"),
        ({"count": -1}, "count is -1: a variant needs at least 1 instance"),
        ({"count": 1, "scaling": SCALING}, r"count is 1: give scaling's .* \(2 to 6\)"),
        ({"count": 7, "scaling": SCALING}, r"count is 7: give scaling's .* \(2 to 6\)"),
        ({"name": "a b"}, "name is 'a b': use letters, digits and inner hyphens"),
        ({"name": ""}, "name is '': use letters"),
        ({"name": "a" * 64}, "at most 63 characters"),
        ({"weight": -1}, "weight is -1: give 0 or more"),
        ({"weight": float("nan")}, "weight is nan: give 0 or more"),
        ({"volume_gib": 0}, "volume_gib is 0: SageMaker allows 1 to 512"),
        ({"volume_gib": 513}, "volume_gib is 513: SageMaker allows 1 to 512"),
        ({"startup_timeout": Duration.seconds(59)}, "startup_timeout is 59 seconds: SageMaker allows 1 minute to 1 h"),
        ({"startup_timeout": Duration.seconds(3601)}, "startup_timeout is 1 hour 1 second: SageMaker allows"),
        ({"instance_type": "ml.t2.medium", "scaling": SCALING}, "scaling is given for ml.t2.medium: .* burstable"),
        (
            {"serverless": ServerlessInference(), "count": 2},
            "count is 2 beside serverless: a serverless variant has no",
        ),
        ({"serverless": ServerlessInference(), "instance_type": "m5.large"}, "instance_type is 'm5.large' beside serv"),
        ({"serverless": ServerlessInference(), "scaling": SCALING}, "scaling is .* beside serverless"),
        ({"serverless": ServerlessInference(), "volume_gib": 5}, "volume_gib is 5 beside serverless"),
    ],
)
def test_fails_when_sagemaker_would_refuse_it(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EndpointVariant(**given)


def test_what_comes_at_deployment_is_not_judged() -> None:
    number, text = Token.as_number({"Ref": "Count"}), Token.as_string({"Ref": "Name"})
    variant = EndpointVariant(name=text, count=number, weight=number, volume_gib=number, scaling=SCALING)
    assert variant.count == number
