import pytest

from cdk_fargate_sagemaker.sagemaker import EvaluationGate


def test_asks_for_what_is_set() -> None:
    assert dict(EvaluationGate(min_auc=0.9, min_recall=0).minima()) == {"auc": 0.9, "recall": 0}


@pytest.mark.parametrize("minimum", [-0.1, 1.1, 80, float("nan")])
def test_fails_when_a_minimum_is_no_share(minimum: float) -> None:
    with pytest.raises(ValueError, match=f"min_f1: got {minimum}, allowed: a number, 0 to 1"):
        EvaluationGate(min_f1=minimum)


def test_compares_what_may_fall_only_so_far() -> None:
    assert dict(EvaluationGate().max_drops()) == {"auc": 0.01}
    gate = EvaluationGate(max_auc_drop=None, max_average_precision_drop=0)
    assert dict(gate.max_drops()) == {"average_precision": 0}
    assert dict(gate.minima()) == {"auc": 0.8}


@pytest.mark.parametrize("drop", [-0.01, 1.5, float("nan")])
def test_fails_when_a_drop_is_no_share(drop: float) -> None:
    with pytest.raises(ValueError, match=f"max_auc_drop: got {drop}, allowed: a number, 0 to 1"):
        EvaluationGate(max_auc_drop=drop)
