"""The bounds of a service's task count, and the thresholds that move it."""

from .._checks import check_number, check_percent, refusal
from .._number_token import is_token


def check_task_count(min_tasks: int | None, max_tasks: int | None, *, required: bool = False) -> None:
    """Refuses bounds that contradict each other, and a lower bound below 1.

    Args:
        min_tasks: the lower bound. None: unchanged.
        max_tasks: the upper bound. None: unchanged.
        required: whether both have to be given. Default: they need not.

    Raises:
        InvalidArgumentError: see above.
    """
    if required or min_tasks is not None:
        check_number("min_tasks", min_tasks, at_least=1, whole=True, remedy="target tracking cannot start from none")
    if required or max_tasks is not None:
        check_number("max_tasks", max_tasks, at_least=1, whole=True)
    if min_tasks is None or max_tasks is None or is_token(min_tasks) or is_token(max_tasks):
        return
    if min_tasks > max_tasks:
        raise refusal("min_tasks", min_tasks, f"at most max_tasks ({max_tasks})", "lower it, or raise max_tasks")


def check_target_percent(target_percent: float) -> None:
    """Refuses a value that is not a utilization in percent that target tracking can keep.

    Raises:
        InvalidArgumentError: a target outside 1 to 100.
    """
    check_percent("target_percent", target_percent, at_least=1)


def check_above_target(threshold_percent: float, target_percent: float, name: str = "threshold_percent") -> None:
    """Refuses a CPU threshold of spike scaling that every task passes in normal operation.

    Args:
        threshold_percent: CPU of the hottest task at which spike scaling adds tasks.
        target_percent: the average CPU that target tracking keeps.
        name: the threshold's name, as the caller wrote it.

    Raises:
        InvalidArgumentError: the threshold is not above the target.
    """
    if threshold_percent > target_percent or is_token(threshold_percent) or is_token(target_percent):
        return
    raise refusal(
        name,
        threshold_percent,
        f"above the tracked average CPU of {target_percent} %",
        "raise the threshold or lower the target",
    )
