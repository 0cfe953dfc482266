from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

Load = Callable[[str], ModuleType]

LABELS = [0] * 500 + [1] * 500
FP32 = np.linspace(0.001, 0.999, 1000)


def test_int8_holds_when_it_judges_as_fp32_does(load: Load) -> None:
    comparison = load("precision").Comparison.of(LABELS, fp32=FP32, int8=FP32 * 0.9999)
    assert comparison.holds
    assert comparison.fault is None
    assert comparison.agreement == 1
    assert comparison.posts == 1000


def test_fails_when_flags_flip(load: Load) -> None:
    flipped = FP32.copy()
    flipped[497:500] += 0.003  # over the threshold, hardly up the ranking
    flipped[500:503] -= 0.003
    comparison = load("precision").Comparison.of(LABELS, fp32=FP32, int8=flipped)
    assert abs(comparison.auc_fp32 - comparison.auc_int8) < 0.002
    assert comparison.agreement == pytest.approx(0.994)
    assert comparison.fault == "int8 agrees with fp32 on 99.40% of 1000 flags; allowed is 99.5% or more"
    assert not comparison.holds


def test_fails_when_the_ranking_changes(load: Load) -> None:
    changed = FP32.copy()
    changed[0:2], changed[998:] = 0.9995, 0.0005  # two of each label change sides
    comparison = load("precision").Comparison.of(LABELS, fp32=FP32, int8=changed)
    assert comparison.agreement == pytest.approx(0.996)
    assert comparison.fault == "int8 moves the AUC by 0.0080 on 1000 posts; allowed is 0.002"


def test_fails_when_int8_answers_no_numbers(load: Load) -> None:
    comparison = load("precision").Comparison(
        auc_fp32=0.9, auc_int8=float("nan"), agreement=1.0, difference_p99=0.0, posts=10
    )
    assert not comparison.holds
