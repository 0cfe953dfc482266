from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker.sagemaker import (
    DataCapture,
    EndpointConfiguration,
    EndpointVariant,
    ServerlessInference,
    ShadowVariant,
)

SERVERLESS = EndpointVariant(serverless=ServerlessInference())


def test_a_model_is_isolated_unless_it_is_serverless() -> None:
    assert EndpointConfiguration().network_isolation is True
    assert EndpointConfiguration(network_isolation=False).network_isolation is False
    assert EndpointConfiguration(variants=[SERVERLESS]).network_isolation is False


def test_the_shadow_is_a_variant_too() -> None:
    configuration = EndpointConfiguration(shadow=ShadowVariant(percent=5))
    assert [variant.name for variant in configuration.all_variants] == ["primary", "shadow"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"variants": []}, "variants: got 0 variants, allowed: 1 to 10"),
        (
            {"variants": [EndpointVariant(name=f"v{n}") for n in range(11)]},
            "variants: got 11 variants, allowed: 1 to 10",
        ),
        (
            {"variants": [EndpointVariant()] * 2},
            "variants: got variants named primary, primary, allowed: a name of its own for each",
        ),
        (
            {"shadow": ShadowVariant(percent=5, variant=EndpointVariant())},
            "variants: got variants named primary, primary, allowed: a name of its own for each",
        ),
        (
            {"variants": [EndpointVariant(name="a"), EndpointVariant(name="b")], "shadow": ShadowVariant(percent=5)},
            "shadow: got a ShadowVariant, allowed: none beside 2 variants; SageMaker takes it beside one",
        ),
        (
            {"variants": [SERVERLESS, EndpointVariant(name="b")]},
            "variants: got 2 variants with a serverless one, allowed: a serverless one alone",
        ),
        (
            {"variants": [SERVERLESS], "shadow": ShadowVariant(percent=5)},
            "shadow: got a ShadowVariant, allowed: none beside a serverless variant",
        ),
        (
            {"variants": [SERVERLESS], "network_isolation": True},
            "network_isolation: got True, allowed: none beside a serverless variant",
        ),
    ],
)
def test_fails_when_parts_do_not_go_together(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EndpointConfiguration(**given)


def test_fails_when_a_serverless_variant_is_captured(stack: cdk.Stack) -> None:
    capture = DataCapture(bucket=s3.Bucket(stack, "Bucket"))
    with pytest.raises(ValueError, match="data_capture: got a DataCapture, allowed: none beside a serverless variant"):
        EndpointConfiguration(variants=[SERVERLESS], data_capture=capture)
