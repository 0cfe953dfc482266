from typing import Any

import pytest
from aws_cdk import Token

from cdk_fargate_sagemaker.sagemaker import EndpointScaling
from tests.constructs.known_at_deployment import whole


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_instances": 0}, "min_instances: got 0, allowed: a whole number, at least 1"),
        ({"min_instances": 5}, r"max_instances: got 4, allowed: at least min_instances \(5\)"),
        ({"invocations_per_instance": 0}, "invocations_per_instance: got 0, allowed: a number, above 0"),
        ({"invocations_per_instance": float("nan")}, "invocations_per_instance: got nan, allowed: a number, above 0"),
    ],
)
def test_fails_when_it_could_not_scale(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EndpointScaling(**({"max_instances": 4, "invocations_per_instance": 600} | given))


def test_what_comes_at_deployment_is_not_judged() -> None:
    token = whole(Token.as_number({"Ref": "Number"}))
    given = EndpointScaling(min_instances=token, max_instances=token, invocations_per_instance=token)
    assert given.max_instances == token
