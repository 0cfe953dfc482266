"""A token is told from a number as the CDK itself tells it, without asking it."""

import aws_cdk as cdk
import pytest

from cdk_fargate_sagemaker._number_token import is_token


@pytest.mark.parametrize("number", [0, -1, 2.5, 10**400, -(10**400), -1e300, -1e289, 1.888e289, -1.7e308])
def test_a_number_is_no_token(number: float) -> None:
    assert not is_token(number)
    if abs(number) < 1e308:
        assert not cdk.Token.is_unresolved(float(number))


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_what_javascript_does_not_know_is_no_token(number: float) -> None:
    assert not is_token(number)


def test_a_token_is_one() -> None:
    tokens = [cdk.Token.as_number({"Ref": f"Parameter{number}"}) for number in range(50)]
    assert all(map(cdk.Token.is_unresolved, tokens))
    assert all(map(is_token, tokens))
