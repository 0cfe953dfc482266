import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

API = Path(__file__).parents[3] / "container/api"


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("reviewer_identity", API / "reviewer_identity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "reviewer_identity", module)
    spec.loader.exec_module(module)
    return module


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
    identity: ModuleType, partition: str, region: str, expected: str
) -> None:
    signer = f"arn:{partition}:elasticloadbalancing:{region}:123456789012:loadbalancer/app/shop/1"
    assert identity.region_keys_url(signer, region) == expected
