"""One step of spike scaling on a metric that you choose: a threshold, and the tasks to add."""

from dataclasses import dataclass

from .._checks import check_number


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricStep:
    """Adds `add_tasks` tasks when the metric reaches `threshold`.

    Args:
        threshold: a value of the metric, in its own unit.
        add_tasks: tasks added in one step, at least 1. Default: 3.

    Raises:
        InvalidArgumentError: a threshold that is not a number, or a step that adds no task.
    """

    threshold: float
    add_tasks: int = 3

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold)
        check_add_tasks(self.add_tasks)


def check_add_tasks(add_tasks: int) -> None:
    """Refuses a step that does not add a whole number of tasks, at least 1. Tokens pass.

    Raises:
        InvalidArgumentError: zero, a fraction or a negative number.
    """
    remedy = "spike scaling only adds tasks, target tracking removes them"
    check_number("add_tasks", add_tasks, at_least=1, whole=True, remedy=remedy)
