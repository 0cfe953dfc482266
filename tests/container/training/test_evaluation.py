from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

Load = Callable[[str], ModuleType]


def test_threshold_of_separable_posts_lies_in_the_middle(load: Load) -> None:
    threshold = load("evaluation").best_threshold([0, 0, 1, 1], np.array([0.1, 0.2, 0.8, 0.9]))
    assert threshold == pytest.approx(0.5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=2, max_size=30).filter(
        lambda posts: {label for label, _ in posts} == {0, 1}
    )
)
def test_no_other_threshold_has_a_higher_f1(load: Load, posts: list[tuple[int, int]]) -> None:
    labels = [label for label, _ in posts]
    probabilities = np.array([score / 20 for _, score in posts])

    def f1(threshold: float) -> float:
        return float(f1_score(labels, probabilities >= threshold, zero_division=0))

    chosen = f1(load("evaluation").best_threshold(labels, probabilities))
    assert chosen == pytest.approx(max(f1(score / 20) for score in range(21)))
