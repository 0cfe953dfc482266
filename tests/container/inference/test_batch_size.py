from collections.abc import Callable
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (lambda size: 0.012 * size, 1),  # int8 on a small CPU: nothing to gain
        (lambda size: 0.012 * size * 1.1, 1),
        (lambda size: 0.004 + 0.0001 * size, 64),  # a GPU
        (lambda size: 0.010 + 0.005 * size, 16),  # a gain that ends where others would wait too long
        (lambda size: 1.0, 1),  # too long, whatever it saves
    ],
)
def test_takes_the_largest_batch_that_pays(load: Load, seconds: Callable[[int], float], expected: int) -> None:
    now = 0.0

    def run(size: int) -> None:
        nonlocal now
        now += seconds(size)

    assert load("batch_size").measured_batch_size(run, clock=lambda: now) == expected
