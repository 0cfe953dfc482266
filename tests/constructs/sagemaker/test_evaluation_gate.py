"""What the gate says of metrics; test_release_definition.py has it in a workflow."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_fargate_sagemaker.sagemaker import EvaluationGate

CURRENT = {"release": "prices-before"}


class Refusals:
    """Stands in for the workflow: keeps in which order a release is refused, and what comes after the gate."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, str]] = []
        self.name = self.then = ""

    def choice(self, name: str) -> "Refusals":
        self.name = name
        return self

    def refuse_when(self, choice: object, condition: str, *, error: str, cause: str) -> None:
        assert choice is self
        self.found.append((condition, error, cause))

    def otherwise(self, then: str) -> None:
        self.then = then


@pytest.fixture
def judged(evaluated: Callable[..., Any]) -> Any:
    """What a gate says of metrics: none where they pass, else the cause."""

    def judge(
        gate: EvaluationGate,
        metrics: dict[str, float],
        current: dict[str, float] | None = None,
        comparison: dict[str, Any] | None = None,
    ) -> str | None:
        release: Any = Refusals()
        then: Any = "Archive"
        made: Any = gate.judge(release, then)
        assert (made, release.name, release.then) == (release, "Evaluation-Gate", "Archive")
        variables = {"metrics": metrics, "current": CURRENT if current else None, "current_metrics": current}
        variables |= {"comparison": comparison} if comparison else {}
        for condition, error, cause in release.found:
            if evaluated(f"{{% {condition} %}}", variables) is True:
                assert error == "GateRefused"
                said: str = evaluated(f"{{% {cause} %}}", variables)
                return said
        return None

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


def sure(**found: tuple[float, float, float]) -> dict[str, Any]:
    """What the evaluation says of how sure it is: of each, its value and between what it may be."""
    names = ("value", "low", "high")
    intervals = {metric: dict(zip(names, interval, strict=True)) for metric, interval in found.items()}
    return {"confidence": 0.95, "posts": 160, "violations": 33, **intervals}


@pytest.mark.parametrize(
    ("minimum", "auc", "cause"),
    [
        (0.8, (0.76, 0.7, 0.8), None),
        (
            0.8,
            (0.7, 0.62, 0.77),
            "auc is 0.7 (at most 0.77 with 95 % confidence, on 33 held-out violations), needed at least 0.8: at_least "
            "of the gate; about 1617 held-out violations measure it to 0.01",
        ),
        (0.8, (0.7, 0.5, 0.85), None),
        (
            0.8,
            (0.7, 0.45, 0.85),
            "auc is 0.7 (at least 0.45 with 95 % confidence, on 33 held-out violations), which a random model may "
            "reach too: at_least of the gate asks for 0.8; about 52 held-out violations would show the difference: "
            "add labelled posts",
        ),
        (
            0.8,
            (0.505, 0.455, 0.85),
            "auc is 0.505 (at least 0.455 with 95 % confidence, on 33 held-out violations), which a random model may "
            "reach too: at_least of the gate asks for 0.8; about 825 held-out violations would show the difference: "
            "add labelled posts",
        ),
        (0.3, (0.7, 0.3, 0.85), None),
    ],
)
def test_a_minimum_refuses_what_cannot_reach_it_or_may_be_chance(
    judged: Any, minimum: float, auc: tuple[float, float, float], cause: str | None
) -> None:
    assert judged(EvaluationGate(at_least={"auc": minimum}), {"auc": auc[0]}, comparison=sure(auc=auc)) == cause


def test_only_of_a_share_a_random_model_has_a_known_value(judged: Any) -> None:
    assert judged(EvaluationGate(at_least={"r2": 0.4}), {"r2": 0.5}, comparison=sure(r2=(0.5, -1, 0.9))) is None


@pytest.mark.parametrize(
    ("low", "cause"),
    [
        (3.0, None),
        (3.12346, "rmse is 3.5 (at least 3.1235 with 95 % confidence), needed at most 3: at_most of the gate"),
    ],
)
def test_a_maximum_refuses_what_is_above_it_for_certain(judged: Any, low: float, cause: str | None) -> None:
    found = judged(EvaluationGate(at_most={"rmse": 3}), {"rmse": 3.5}, comparison=sure(rmse=(3.5, low, 4)))
    assert found == cause


@pytest.mark.parametrize(
    ("gate", "current", "new", "comparison", "cause"),
    [
        (EvaluationGate(may_worsen={"auc": 0.01}), 0.9, 0.89, None, None),
        (EvaluationGate(may_worsen={"auc": 0}), 0.9, 0.85, sure(auc_drop=(0.05, 0, 0.1)), None),
        (
            EvaluationGate(may_worsen={"auc": 0}),
            0.9,
            0.85,
            sure(auc_drop=(0.05, 0.0491234, 0.08)),
            "auc is 0.85; the current model prices-before has 0.9 on the same posts: it may fall by at most 0, "
            "may_worsen of the gate, and has fallen by at least 0.0491 with 95 % confidence; on about 26 held-out "
            "violations, not 33, a fall of 0.001 shows",
        ),
        (
            EvaluationGate(at_most={"auc": 1}, may_worsen={"auc": 0.1}),
            0.2,
            0.7,
            sure(auc_rise=(0.5, 0.2, 0.8)),
            "auc is 0.7; the current model prices-before has 0.2 on the same posts: it may rise by at most 0.1, "
            "may_worsen of the gate, and has risen by at least 0.2 with 95 % confidence; on about 297 held-out "
            "violations, not 33, a rise of 0.1 shows",
        ),
        (
            EvaluationGate(may_worsen={"auc": 0.01}),
            None,
            0.85,
            None,
            "auc is 0.85; the current model prices-before has no known value on the same posts: it may fall by at "
            "most 0.01, may_worsen of the gate",
        ),
        (
            EvaluationGate(may_worsen={"auc": 0.01}),
            0.85,
            None,
            None,
            "auc is missing; the current model prices-before has 0.85 on the same posts: it may fall by at most "
            "0.01, may_worsen of the gate",
        ),
    ],
)
def test_a_change_for_the_worse_is_refused_where_it_is_not_chance(
    judged: Any,
    gate: EvaluationGate,
    current: float | None,
    new: float | None,
    comparison: dict[str, Any] | None,
    cause: str | None,
) -> None:
    def measured(auc: float | None) -> dict[str, float]:
        return {"recall": 1} if auc is None else {"auc": auc}

    assert judged(gate, measured(new), measured(current), comparison) == cause


def test_a_bound_may_be_known_at_deployment_only() -> None:
    release: Any = Refusals()
    then: Any = "Archive"
    EvaluationGate(at_least={"auc": cdk.Token.as_number({"Ref": "Minimum"})}).judge(release, then)
    condition, _, cause = release.found[0]
    stack = cdk.Stack(cdk.App(), "Stack")
    assert "{'Ref': 'Minimum'}" in str(stack.resolve(condition))
    assert "{'Ref': 'Minimum'}" in str(stack.resolve(cause))


def test_a_metric_may_be_named_like_a_word_of_jsonata(judged: Any) -> None:
    gate = EvaluationGate(at_least={"and": 1, "log-loss": 1})
    assert judged(gate, {"and": 0, "log-loss": 1}) == "and is 0, needed at least 1: at_least of the gate"
    assert judged(gate, {"and": 1, "log-loss": 1}) is None


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({}, "at_least: got no metric"),
        ({"at_least": {"": 1}}, "at_least: got ''"),
        ({"at_least": {1: 1}}, "at_least: got 1"),
        ({"at_least": {"auc": 2}}, "give 0.02 for 2 %"),
        ({"at_least": {"auc": 100}}, "give 1 for 100 %"),
        ({"may_worsen": {"rmse": 1}}, r"may_worsen\['rmse'\]: got a metric in no bound"),
        (
            {"at_least": {"auc": 0.5}, "at_most": {"auc": 0.9}, "may_worsen": {"auc": 0.1}},
            r"may_worsen\['auc'\]: got a metric in both bounds",
        ),
    ],
)
def test_fails_when_bounds_say_nothing_or_two_things(bounds: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        EvaluationGate(**bounds)


@pytest.mark.parametrize("minimum", [1.5, 101])
def test_a_number_that_is_no_percentage_gets_no_such_hint(minimum: float) -> None:
    with pytest.raises(ValueError, match="allowed: a number, 0 to 1") as refused:
        EvaluationGate(at_least={"auc": minimum})
    assert "%" not in str(refused.value)


def test_a_metric_that_is_no_share_may_be_any_number() -> None:
    gate = EvaluationGate(at_least={"r2": -5}, at_most={"rmse": 300}, may_worsen={"rmse": 20, "auc": 0.1})
    assert (gate.at_least["r2"], gate.at_most["rmse"], gate.may_worsen["rmse"]) == (-5, 300, 20)
