"""One step of spike scaling on a metric of one's own: from which value on, how many tasks."""

import math
from dataclasses import dataclass

from .number_token import is_token


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricStep:
    """Adds `add_tasks` tasks when the metric reaches `threshold`.

    Args:
        threshold: a value of the metric, in its own unit.
        add_tasks: tasks added in one step, at least 1. Default: 3.

    Raises:
        ValueError: a threshold that is no number, or a step that adds no task.
    """

    threshold: float
    add_tasks: int = 3

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold):
            raise ValueError(f"threshold: got {self.threshold}, allowed: a finite number in the metric's unit")
        check_add_tasks(self.add_tasks)


def check_add_tasks(add_tasks: int) -> None:
    """Refuses a step that does not add whole tasks; tokens pass.

    Raises:
        ValueError: no task, a part of one, or a negative number.
    """
    if (add_tasks < 1 or add_tasks % 1 != 0) and not is_token(add_tasks):
        raise ValueError(
            f"add_tasks: got {add_tasks}, allowed: a whole number of at least 1; "
            "spike scaling only adds tasks, target tracking removes them"
        )
