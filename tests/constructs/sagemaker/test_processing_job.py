from typing import Any

import pytest
from aws_cdk import Duration, Token

from cdk_fargate_sagemaker.sagemaker import ModelImage, ProcessingJob
from tests.constructs.known_at_deployment import whole


def test_it_cannot_be_changed_afterwards(image: ModelImage) -> None:
    arguments, environment = ["--fold"], {"DEPTH": "3"}
    job = ProcessingJob(image=image, arguments=arguments, environment=environment, entry_point=["python", "prepare.py"])
    arguments.append("--drop")
    environment["DEPTH"] = "4"
    assert (job.arguments, job.environment, job.entry_point) == (("--fold",), {"DEPTH": "3"}, ("python", "prepare.py"))
    with pytest.raises(TypeError):
        job.environment["DEPTH"] = "5"  # type: ignore[index]


def test_values_that_come_at_deployment_are_not_judged(image: ModelImage) -> None:
    number, text = whole(Token.as_number({"Ref": "Number"})), Token.as_string({"Ref": "Text"})
    job = ProcessingJob(image=image, volume_gib=number, arguments=[text], instance_type=text)
    assert (job.volume_gib, job.arguments, job.instance_type) == (number, (text,), text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"instance_type": "large"}, "instance_type: got 'large', allowed: a SageMaker instance type"),
        ({"volume_gib": 0}, "volume_gib: got 0, allowed: a whole number, 1 to 16384"),
        (
            {"max_runtime": Duration.days(6)},
            "max_runtime: got 6 days, allowed: a Duration of whole seconds, 1 minute to 5 days",
        ),
        ({"entry_point": []}, "entry_point: got 0 words, allowed: 1 to 100"),
        ({"arguments": ["x"] * 101}, "arguments: got 101 words, allowed: 0 to 100"),
        ({"arguments": ["x" * 257]}, "arguments: got a word of 257 characters, allowed: words of 1 to 256"),
        (
            {"environment": {str(number): "" for number in range(101)}},
            "environment: got 101 variables, allowed: at most 100",
        ),
    ],
)
def test_fails_when_sagemaker_would_refuse(image: ModelImage, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProcessingJob(image=image, **given)
