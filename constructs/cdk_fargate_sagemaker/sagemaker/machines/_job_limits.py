"""SageMaker's limits for jobs of every kind."""

from typing import Any

from aws_cdk import Duration

from ..._checks import check_duration, check_number

_LARGEST_VOLUME_GIB = 16384
_SHORTEST_RUN = Duration.minutes(1)


def check_volume(volume_gib: Any) -> None:
    """Refuses a volume size that a job's instance cannot have.

    Raises:
        InvalidArgumentError: see above.
    """
    check_number("volume_gib", volume_gib, at_least=1, at_most=_LARGEST_VOLUME_GIB, whole=True)


def check_max_runtime(max_runtime: Any, *, at_most: Duration | None = None) -> None:
    """Refuses a maximum run time that is too short, too long or known only at deployment.

    The time limits of the state and of the whole workflow are computed from it.

    Raises:
        InvalidArgumentError: see above.
    """
    check_duration("max_runtime", max_runtime, at_least=_SHORTEST_RUN, at_most=at_most, whole="seconds", token=False)
