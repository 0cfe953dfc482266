"""One step of spike scaling on CPU: a threshold, and the tasks to add."""

from dataclasses import dataclass

from .._checks import check_percent
from .metric_step import check_add_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuStep:
    """Adds `add_tasks` tasks when the hottest task's CPU reaches `threshold_percent`.

    Args:
        threshold_percent: CPU of the hottest task over one minute, in percent of the task's vCPUs, 1 to 100. Default:
            80, so that a task has a fifth of its CPU left when scaling starts.
        add_tasks: tasks added in one step, at least 1. Default: 3.

    Raises:
        InvalidArgumentError: a threshold outside 1 to 100, or a step that adds no task.
    """

    threshold_percent: float = 80
    add_tasks: int = 3

    def __post_init__(self) -> None:
        check_percent("threshold_percent", self.threshold_percent, at_least=1)
        check_add_tasks(self.add_tasks)

    @property
    def threshold(self) -> float:
        """The threshold in the metric's own unit, percent."""
        return self.threshold_percent
