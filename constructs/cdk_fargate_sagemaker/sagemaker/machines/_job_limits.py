"""The limits that SageMaker has for jobs of every kind."""

from typing import Any

from aws_cdk import Duration

from ..._checks import check_duration, check_number

_LARGEST_VOLUME_GIB = 16384
_SHORTEST_RUN = Duration.minutes(1)


def check_volume(volume_gib: Any) -> None:
    """Refuses a disk that a job's machine cannot have.

    Raises:
        InvalidArgumentError: see above.
    """
    check_number("volume_gib", volume_gib, at_least=1, at_most=_LARGEST_VOLUME_GIB, whole=True)


def check_max_runtime(max_runtime: Any, *, at_most: Duration | None = None) -> None:
    """Refuses a run that is too short or too long, or known at deployment only: how long a workflow's state and the
    whole workflow may take is computed from it.

    Raises:
        InvalidArgumentError: see above.
    """
    check_duration("max_runtime", max_runtime, at_least=_SHORTEST_RUN, at_most=at_most, whole="seconds", token=False)
