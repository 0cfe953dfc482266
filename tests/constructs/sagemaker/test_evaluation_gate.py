import pytest

from cdk_fargate_sagemaker.sagemaker import EvaluationGate


def test_asks_for_what_is_set() -> None:
    assert dict(EvaluationGate(minimum_auc=0.9, minimum_recall=0).minima()) == {"auc": 0.9, "recall": 0}


@pytest.mark.parametrize("minimum", [-0.1, 1.1, 80, float("nan")])
def test_fails_when_a_minimum_is_no_share(minimum: float) -> None:
    with pytest.raises(ValueError, match=f"minimum_f1 is {minimum}: it is a number from 0 to 1"):
        EvaluationGate(minimum_f1=minimum)


def test_compares_what_may_fall_only_so_far() -> None:
    assert dict(EvaluationGate().maximum_drops()) == {"auc": 0.01}
    gate = EvaluationGate(maximum_auc_drop=None, maximum_average_precision_drop=0)
    assert dict(gate.maximum_drops()) == {"average_precision": 0}
    assert dict(gate.minima()) == {"auc": 0.8}


@pytest.mark.parametrize("drop", [-0.01, 1.5, float("nan")])
def test_fails_when_a_drop_is_no_share(drop: float) -> None:
    with pytest.raises(ValueError, match=f"maximum_auc_drop is {drop}: it is a number from 0 to 1"):
        EvaluationGate(maximum_auc_drop=drop)
