from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import Duration, Token
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import DataChannel, InputChannel, ModelImage, TrainingJob

Training = Callable[..., TrainingJob]


@pytest.fixture
def training(image: ModelImage) -> Training:
    return lambda **given: TrainingJob(image=image, **given)


def test_hyperparameters_become_strings(training: Training) -> None:
    assert training(hyperparameters={"seed": 1, "learning_rate": 2e-05, "recipe": "bert"}).hyperparameters == {
        "seed": "1",
        "learning_rate": "2e-05",
        "recipe": "bert",
    }


def test_hyperparameters_cannot_be_changed_afterwards(training: Training) -> None:
    given = {"seed": "1"}
    job = training(hyperparameters=given)
    given["seed"] = "2"
    assert job.hyperparameters == {"seed": "1"}
    with pytest.raises(TypeError):
        job.hyperparameters["seed"] = "2"  # type: ignore[index]


def test_values_that_come_at_deployment_are_not_judged(training: Training) -> None:
    parameter = Token.as_number({"Ref": "Seconds"})
    later = Duration.seconds(parameter)
    job = training(volume_gib=parameter, keep_alive=later)
    assert (job.volume_gib, job.keep_alive) == (parameter, later)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"volume_gib": 0}, "volume_gib: got 0, allowed: a whole number, 1 to 16384"),
        ({"volume_gib": 16385}, "volume_gib: got 16385, allowed: a whole number, 1 to 16384"),
        (
            {"max_runtime": Duration.seconds(59)},
            "max_runtime: got 59 seconds, allowed: a Duration of whole seconds, 1 minute to 28 days",
        ),
        ({"max_runtime": Duration.days(29)}, "max_runtime: got 29 days, allowed: a Duration"),
        (
            {"hyperparameters": {str(n): "" for n in range(101)}},
            "hyperparameters: got 101 entries, allowed: at most 100",
        ),
        ({"hyperparameters": {"": "x"}}, "hyperparameters: got '', allowed: names of 1 to 256 characters"),
        ({"hyperparameters": {"a": "x" * 2501}}, r"hyperparameters\['a'\]: got 2501 characters, allowed: at most 2500"),
        (
            {"spot_max_wait": Duration.hours(3)},
            "spot_max_wait: got 3 hours, allowed: a Duration .* at least 4 hours.*; it includes the running",
        ),
        (
            {"keep_alive": Duration.hours(7)},
            "keep_alive: got 7 hours, allowed: a Duration of whole seconds, 1 second to 6 hours",
        ),
        (
            {"keep_alive": Duration.seconds(0)},
            "keep_alive: got 0 seconds, allowed: a Duration of whole seconds, 1 second to 6 hours",
        ),
        (
            {"keep_alive": Duration.hours(1), "spot_max_wait": Duration.hours(6)},
            "keep_alive: got 1 hour, allowed: none beside spot_max_wait; SageMaker keeps no spot machines",
        ),
        (
            {"instance_type": "ml.m5"},
            "instance_type: got 'ml.m5', allowed: a SageMaker instance type such as 'ml.m5.large'",
        ),
    ],
)
def test_fails_when_sagemaker_would_refuse(training: Training, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training(**given)


def test_spare_machines_bring_checkpoints_unless_told_otherwise(training: Training) -> None:
    wait = Duration.hours(6)
    assert training().checkpoints is False
    assert training(spot_max_wait=wait).checkpoints is True
    assert training(spot_max_wait=wait, checkpoints=False).checkpoints is False
    assert training(checkpoints=True).checkpoints is True


def test_a_job_may_take_as_long_as_it_waits_and_runs(training: Training) -> None:
    assert training().longest.to_seconds() == 4 * 3600
    assert training(spot_max_wait=Duration.hours(6)).longest.to_seconds() == 6 * 3600


@pytest.mark.parametrize("name", ["max_runtime", "spot_max_wait"])
def test_fails_when_the_time_of_the_whole_workflow_could_not_be_known(training: Training, name: str) -> None:
    later = Duration.seconds(Token.as_number({"Ref": "Seconds"}))
    with pytest.raises(ValueError, match=f"{name}: got a token, known at deployment only, allowed: a Duration"):
        training(**{name: later})


def test_what_is_no_text_reaches_the_program_as_json(training: Training) -> None:
    given = {"eta": 0.1, "balanced": True, "weights": None, "eval_metric": ["auc", "logloss"], "tree": {"depth": 6}}
    assert training(hyperparameters=given | {"objective": "reg:squarederror"}).hyperparameters == {
        "eta": "0.1",
        "balanced": "true",
        "weights": "null",
        "eval_metric": '["auc", "logloss"]',
        "tree": '{"depth": 6}',
        "objective": "reg:squarederror",
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"auc"}, b"auc", [float("nan")]])
def test_fails_when_json_has_no_form_of_a_hyperparameter(training: Training, value: Any) -> None:
    with pytest.raises(ValueError, match=r"hyperparameters\['balanced'\]: got .*, allowed: text, or what JSON has a"):
        training(hyperparameters={"balanced": value})


def test_the_sides_come_by_the_programs_names_with_their_content_types(
    training: Training, make_workflow: Callable[..., Any], definition_of: Callable[..., Any]
) -> None:
    job = training(
        data_channels={
            "train": DataChannel(side="train", content_type="text/csv"),
            "validation": DataChannel(side="test", content_type="text/csv"),
        },
        channels=[InputChannel(name="start", prefix="start/", remedy="upload it", content_type="application/x-ubj")],
    )
    states = definition_of(Template.from_stack(cdk.Stack.of(make_workflow(train=job))))["States"]
    found = [
        (channel["ChannelName"], channel["ContentType"], channel["DataSource"]["S3DataSource"]["S3Uri"])
        for channel in states["Train"]["Arguments"]["InputDataConfig"]
    ]
    assert found == [
        ("train", "text/csv", "{% $posts.train.uri %}"),
        ("validation", "text/csv", "{% $posts.test.uri %}"),
        ("start", "application/x-ubj", found[2][2]),
    ]
    assert found[2][2].endswith("/start/")
