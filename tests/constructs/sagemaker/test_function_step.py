import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_

from cdk_fargate_sagemaker.sagemaker import FunctionStep


def test_a_payload_cannot_be_changed_afterwards() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:own"
    payload: dict[str, object] = {"depth": 3}
    step = FunctionStep(function=lambda_.Function.from_function_arn(cdk.Stack(), "Own", arn), payload=payload)
    payload["depth"] = 4
    assert step.payload == {"depth": 3}
    with pytest.raises(TypeError):
        step.payload["depth"] = 5  # type: ignore[index]
