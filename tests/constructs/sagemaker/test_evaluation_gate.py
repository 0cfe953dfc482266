import pytest

from cdk_fargate_sagemaker.sagemaker import EvaluationGate


def test_asks_for_what_is_set() -> None:
    assert dict(EvaluationGate(minimum_auc=0.9, minimum_recall=0).minima()) == {"auc": 0.9, "recall": 0}


@pytest.mark.parametrize("minimum", [-0.1, 1.1, 80, float("nan")])
def test_fails_when_a_minimum_is_no_share(minimum: float) -> None:
    with pytest.raises(ValueError, match=f"minimum_f1 is {minimum}: it is a number from 0 to 1"):
        EvaluationGate(minimum_f1=minimum)
