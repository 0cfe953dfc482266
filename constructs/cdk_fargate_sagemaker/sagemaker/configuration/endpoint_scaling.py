"""The scaling of a variant's instances with its load."""

from dataclasses import dataclass

from aws_cdk import Duration

from ..._checks import check_duration, check_number, refusal
from ..._number_token import is_token
from ..._readable_help import readable

_COOLDOWN = readable(Duration.minutes(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointScaling:
    """Keeps the requests per minute and instance near `invocations_per_instance`.

    A release keeps the instance counts that scaling has reached. SageMaker keeps the counts of all variants of an
    endpoint or of none. If one of them scales, a changed `count` of a variant without scaling takes effect only when
    its name changes.

    Args:
        min_instances: minimum number of instances, 1 or more. Default: 1.
        max_instances: maximum number of instances, at least `min_instances`.
        invocations_per_instance: requests per minute, above 0. Measure with a load test how many an instance can
            answer, and set fewer: a new instance takes minutes to be in service.
        scale_out_cooldown: time after a scale-out during which the added instances count toward the next one. Default:
            5 minutes.
        scale_in_cooldown: time after a scale-in before the next one. Default: 5 minutes.

    Raises:
        InvalidArgumentError: a value that Application Auto Scaling would refuse.

    Example:
        ```python
        scaling = EndpointScaling(min_instances=2, max_instances=8, invocations_per_instance=600)
        scaled = EndpointVariant(scaling=scaling)
        ```
    """

    min_instances: int = 1
    max_instances: int
    invocations_per_instance: float
    scale_out_cooldown: Duration = _COOLDOWN
    scale_in_cooldown: Duration = _COOLDOWN

    def __post_init__(self) -> None:
        check_number("min_instances", self.min_instances, at_least=1, whole=True)
        check_number("max_instances", self.max_instances, at_least=1, whole=True)
        if (
            not is_token(self.min_instances)
            and not is_token(self.max_instances)
            and self.max_instances < self.min_instances
        ):
            raise refusal("max_instances", self.max_instances, f"at least min_instances ({self.min_instances})")
        check_number("invocations_per_instance", self.invocations_per_instance, above=0)
        for name in ("scale_out_cooldown", "scale_in_cooldown"):
            check_duration(name, getattr(self, name), at_least=Duration.seconds(0), whole="seconds")
