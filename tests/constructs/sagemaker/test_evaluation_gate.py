from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.sagemaker import EvaluationGate, ModelEvaluation

CURRENT = {"release": "prices-before"}


@pytest.fixture
def judged(make_workflow: Callable[..., Any], definition_of: Callable[..., Any], decided: Callable[..., Any]) -> Any:
    """What a gate says of metrics: none where they pass, else the cause."""

    def judge(gate: EvaluationGate, metrics: dict[str, float], current: dict[str, float] | None = None) -> str | None:
        workflow = make_workflow(evaluate=ModelEvaluation(gate=gate))
        states = definition_of(Template.from_stack(cdk.Stack.of(workflow)))["States"]
        variables = {"metrics": metrics, "current": CURRENT if current else None, "current_metrics": current}
        following, assigned = decided(states["Evaluation-Gate"], variables)
        assert following == ("Roll-Back" if assigned else "Archive-Copying-Step")
        return assigned["failure"]["cause"] if assigned else None

    return judge


@pytest.mark.parametrize("minimum", [-0.1, 1.1, 80, float("nan")])
def test_fails_when_a_minimum_is_no_share(minimum: float) -> None:
    with pytest.raises(ValueError, match=rf"at_least\['f1'\]: got {minimum}, allowed: a number, 0 to 1"):
        EvaluationGate(at_least={"f1": minimum})


@pytest.mark.parametrize("drop", [-0.01, 1.5, float("nan")])
def test_fails_when_a_drop_is_no_share(drop: float) -> None:
    with pytest.raises(ValueError, match=rf"may_worsen\['auc'\]: got {drop}, allowed: a number, 0 to 1"):
        EvaluationGate(may_worsen={"auc": drop})


@pytest.mark.parametrize(
    ("metrics", "cause"),
    [
        ({"rmse": 3, "r2 score": -0.5}, None),
        ({"rmse": 3.5, "r2 score": 0.5}, "rmse is 3.5, needed at most 3: at_most of the gate"),
        ({"r2 score": 0.5}, "rmse is missing, needed at most 3: at_most of the gate"),
        ({"rmse": 1, "r2 score": -0.6}, "r2 score is -0.6, needed at least -0.5: at_least of the gate"),
    ],
)
def test_any_metric_is_bounded_in_either_direction(judged: Any, metrics: dict[str, float], cause: str | None) -> None:
    assert judged(EvaluationGate(at_least={"r2 score": -0.5}, at_most={"rmse": 3}), metrics) == cause


@pytest.mark.parametrize(
    ("rmse", "current", "refused"),
    [
        (2.0, None, False),
        (2.1, {"rmse": 2}, False),
        (1.0, {"rmse": 2}, False),
        (2.2, {"rmse": 2}, True),
        (1.0, {"mae": 2}, True),
    ],
)
def test_a_metric_that_shall_be_small_worsens_by_rising(
    judged: Any, rmse: float, current: dict[str, float] | None, refused: bool
) -> None:
    cause = judged(EvaluationGate(at_most={"rmse": 3}, may_worsen={"rmse": 0.1}), {"rmse": rmse}, current)
    assert (cause is not None) is refused
    if refused:
        assert " on the same posts: it may rise by at most 0.1" in cause


def test_cannot_be_changed_afterwards() -> None:
    given = {"auc": 0.8}
    gate = EvaluationGate(at_least=given)
    given["auc"] = 0.1
    assert gate.at_least == {"auc": 0.8}
