from typing import Any

import pytest
from aws_cdk import Duration, Token

from cdk_fargate_sagemaker.sagemaker import TrainingJob


def test_hyperparameters_become_strings() -> None:
    assert TrainingJob(hyperparameters={"seed": 1, "learning_rate": 2e-05, "recipe": "bert"}).hyperparameters == {
        "seed": "1",
        "learning_rate": "2e-05",
        "recipe": "bert",
    }


def test_hyperparameters_cannot_be_changed_afterwards() -> None:
    given = {"seed": "1"}
    job = TrainingJob(hyperparameters=given)
    given["seed"] = "2"
    assert job.hyperparameters == {"seed": "1"}
    with pytest.raises(TypeError):
        job.hyperparameters["seed"] = "2"  # type: ignore[index]


def test_values_that_come_at_deployment_are_not_judged() -> None:
    parameter = Token.as_number({"Ref": "Seconds"})
    assert TrainingJob(max_runtime=Duration.seconds(parameter), volume_gib=parameter).volume_gib == parameter


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"volume_gib": 0}, "volume_gib is 0: SageMaker allows 1 to 16384"),
        ({"volume_gib": 16385}, "volume_gib is 16385"),
        ({"max_runtime": Duration.seconds(59)}, "max_runtime is 59 seconds: SageMaker allows 1 minute to 28 days"),
        ({"max_runtime": Duration.days(29)}, "max_runtime is 29 days"),
        ({"hyperparameters": {str(n): "" for n in range(101)}}, "hyperparameters has 101 entries"),
        ({"hyperparameters": {"": "x"}}, "hyperparameters has the name '' of 0 characters"),
        ({"hyperparameters": {"a": "x" * 2501}}, r"hyperparameters\['a'\] has 2501 characters: SageMaker allows 2500"),
        ({"instance_type": "ml.m5"}, "instance_type is 'ml.m5': give a SageMaker instance type such as 'ml.m5.large'"),
    ],
)
def test_fails_when_sagemaker_would_refuse(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingJob(**given)
