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
        ({"spot_max_wait": Duration.hours(3)}, "spot_max_wait is 3 hours: it includes the running"),
        ({"keep_alive": Duration.hours(7)}, "keep_alive is 7 hours: SageMaker allows 1 second to 6 hours"),
        ({"keep_alive": Duration.seconds(0)}, "keep_alive is 0 seconds: SageMaker allows 1 second to 6 hours"),
        (
            {"keep_alive": Duration.hours(1), "spot_max_wait": Duration.hours(6)},
            "keep_alive is given beside spot_max_wait: SageMaker keeps no spot machines",
        ),
        (
            {"instance_type": "ml.m5"},
            "instance_type: got 'ml.m5', allowed: a SageMaker instance type",
        ),
    ],
)
def test_fails_when_sagemaker_would_refuse(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingJob(**given)


def test_spare_machines_bring_checkpoints_unless_told_otherwise() -> None:
    wait = Duration.hours(6)
    assert TrainingJob().checkpoints is False
    assert TrainingJob(spot_max_wait=wait).checkpoints is True
    assert TrainingJob(spot_max_wait=wait, checkpoints=False).checkpoints is False
    assert TrainingJob(checkpoints=True).checkpoints is True


def test_a_job_may_take_as_long_as_it_waits_and_runs() -> None:
    assert TrainingJob().longest.to_seconds() == 4 * 3600
    assert TrainingJob(spot_max_wait=Duration.hours(6)).longest.to_seconds() == 6 * 3600


def test_waits_that_come_at_deployment_are_not_judged() -> None:
    later = Duration.seconds(Token.as_number({"Ref": "Seconds"}))
    assert TrainingJob(spot_max_wait=later).spot_max_wait is later
    assert TrainingJob(keep_alive=later).keep_alive is later
