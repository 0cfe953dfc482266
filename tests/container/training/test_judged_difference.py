import importlib.util
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

Load = Callable[[str], ModuleType]

EVALUATOR = Path(__file__).resolve().parents[3] / "lambda" / "model_evaluator" / "auc_interval.py"


def _drawn(count: int, *, apart: float) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Labels, and what two models say, the second with more noise; some of what they say is equal."""
    chance = random.Random(3)
    labels = [int(number % 3 == 0) for number in range(count)]
    first = np.array([round(chance.gauss(label, 1), 1) for label in labels])
    return labels, first, np.array([value + round(chance.gauss(0, apart), 1) for value in first])


def test_is_the_interval_that_the_release_gate_goes_by(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("auc_interval", EVALUATOR)
    assert spec
    assert spec.loader
    gate = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "auc_interval", gate)
    spec.loader.exec_module(gate)
    labels, first, second = _drawn(300, apart=0.8)
    expected = gate.drop_interval(gate.shares(labels, first.tolist()), gate.shares(labels, second.tolist()))
    found = load("judged_difference").Difference.of(labels, first, second, threshold=0.5)
    assert found.drop == pytest.approx(expected.value)
    # Theirs has Student's quantile to three terms.
    assert found.drop_low == pytest.approx(expected.low, abs=1e-5)
    assert found.drop_high == pytest.approx(expected.high, abs=1e-5)
    assert found.drop > 0.01
    assert found.posts == 300
    assert found.violations == 100


def test_says_why_another_model_may_not_serve(load: Load) -> None:
    of = load("judged_difference").Difference.of
    labels, first, second = _drawn(3000, apart=0.05)
    equal = of(labels, first, first, threshold=0.5)
    assert equal.fault(largest_drop=0.01, smallest_agreement=1) is None
    close = of(labels, first, second, threshold=0.5)
    assert close.fault(largest_drop=0.01, smallest_agreement=0.9) is None
    assert "flags agree on " in close.fault(largest_drop=0.01, smallest_agreement=0.9999)
    labels, first, second = _drawn(300, apart=0.8)
    far = of(labels, first, second, threshold=0.5)
    said = far.fault(largest_drop=0.01, smallest_agreement=0.1)
    assert said.startswith(
        f"the AUC is lower by {far.drop:.4f}, at 95 % by up to {far.drop_high:.4f}, on 100 violations"
    )
    assert said.endswith("allowed is 0.01")


def test_says_how_many_violations_would_show_it(load: Load) -> None:
    module = load("judged_difference")
    found = module.Difference(
        auc_first=0.9,
        auc_second=0.898,
        drop_low=-0.02,
        drop_high=0.018,
        agreement=1.0,
        agreement_low=0.9,
        posts=200,
        violations=50,
    )
    # Twice the width that is allowed: four times the posts.
    assert found.fault(largest_drop=0.01, smallest_agreement=0.97).endswith("allowed is 0.01: 200 would show it")


def test_few_posts_say_nothing(load: Load) -> None:
    too_few = load("judged_difference").too_few
    assert too_few([0] * 30 + [1] * 30) is None
    said = "29 violations and 31 other posts to validate with; 30 of each are needed"
    assert too_few([0] * 31 + [1] * 29) == said
