from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.mark.parametrize(
    ("partition", "region", "expected"),
    [
        ("aws", "eu-central-1", "https://public-keys.auth.elb.eu-central-1.amazonaws.com"),
        ("aws-cn", "cn-north-1", "https://public-keys.auth.elb.cn-north-1.amazonaws.com.cn"),
        (
            "aws-us-gov",
            "us-gov-west-1",
            "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1",
        ),
    ],
)
def test_public_keys_are_those_of_the_partition(
    api_module: Callable[[str], ModuleType], partition: str, region: str, expected: str
) -> None:
    signer = f"arn:{partition}:elasticloadbalancing:{region}:123456789012:loadbalancer/app/shop/1"
    assert api_module("identity.reviewer_identity").region_keys_url(signer, region) == expected
