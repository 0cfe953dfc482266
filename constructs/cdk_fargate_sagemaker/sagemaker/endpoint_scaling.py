"""How the instances of a variant follow its load."""

import math
from dataclasses import dataclass, field

from aws_cdk import Duration, Token


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointScaling:
    """Keeps the requests that an instance answers in a minute near `invocations_per_instance`.

    A load test says how many an instance can answer; what is given here should be below it, since it takes minutes to
    bring an instance into service. After a scale-out the next one waits for `scale_out_cooldown` (5 minutes), unless it
    asks for more; a scale-in waits for `scale_in_cooldown` (5 minutes).

    A release keeps the instances that scaling has brought. SageMaker keeps the counts of all variants of an endpoint or
    of none: beside a variant that scales, another `count` of one that does not takes effect when its name changes.
    """

    min_instances: int = 1
    max_instances: int
    invocations_per_instance: float
    scale_out_cooldown: Duration = field(default_factory=lambda: Duration.minutes(5))
    scale_in_cooldown: Duration = field(default_factory=lambda: Duration.minutes(5))

    def __post_init__(self) -> None:
        least, most, target = self.min_instances, self.max_instances, self.invocations_per_instance
        if not Token.is_unresolved(least) and least < 1:
            raise ValueError(f"min_instances is {least}: a variant keeps at least 1 instance")
        if not Token.is_unresolved(least) and not Token.is_unresolved(most) and most < least:
            raise ValueError(f"max_instances is {most}: give at least min_instances ({least})")
        # NaN has no JSON, so it must not reach jsii.
        if not target > 0 and (math.isnan(target) or not Token.is_unresolved(target)):
            raise ValueError(f"invocations_per_instance is {target}: give the requests a minute, above 0")
