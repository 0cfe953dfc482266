"""What serves a share of an endpoint's requests."""

import math
import re
from dataclasses import dataclass

from aws_cdk import Duration, Token

from ._instance_type import normalised_instance_type
from .endpoint_scaling import EndpointScaling
from .serverless_inference import ServerlessInference

# CreateEndpointConfig's limits
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_LARGEST_VOLUME_GIB = 512
_STARTUP_SECONDS = (60, 3600)

_USUAL_INSTANCE_TYPE = "ml.m5.large"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointVariant:
    """Serves the share of the requests that `weight` is among the weights of all variants.

    It runs on `count` instances of `instance_type`, or serverless; `instance_type` and `count` are None then. A variant
    keeps its name from release to release: SageMaker shifts traffic between variants of the same name alone.

    Args:
        name: 1 to 63 letters, digits and inner hyphens.
        instance_type: `ml.m5.large`; `m5.large` means the same. Default: `ml.m5.large`.
        count: how many instances a release starts with. Default: what `scaling` keeps at least; without scaling 1.
        serverless: capacity that SageMaker brings by itself. Default: none, and instances serve.
        scaling: follows the load. Default: nothing does, the count stays.
        volume_gib: disk of an instance, where the type has none of its own. Default: what SageMaker gives.
        startup_timeout: how long a container may take until it answers its health check, 1 minute to 1 hour.
            Default: SageMaker's.
        model_name: a model that is there already, as for a comparison. Default: the one that is released.

    Raises:
        ValueError: a value that SageMaker would refuse, or values that exclude each other.
    """

    name: str = "primary"
    instance_type: str | None = None
    count: int | None = None
    serverless: ServerlessInference | None = None
    weight: float = 1
    scaling: EndpointScaling | None = None
    volume_gib: int | None = None
    startup_timeout: Duration | None = None
    model_name: str | None = None

    def __post_init__(self) -> None:
        if not Token.is_unresolved(self.name) and not _NAME.fullmatch(self.name):
            raise ValueError(f"name is {self.name!r}: use letters, digits and inner hyphens, at most 63 characters")
        # NaN has no JSON, so it must not reach jsii.
        if not self.weight >= 0 and (math.isnan(self.weight) or not Token.is_unresolved(self.weight)):
            raise ValueError(f"weight is {self.weight}: give 0 or more")
        if self.startup_timeout is not None and not self.startup_timeout.is_unresolved():
            least, most = _STARTUP_SECONDS
            if not least <= self.startup_timeout.to_seconds() <= most:
                raise ValueError(
                    f"startup_timeout is {self.startup_timeout.to_human_string()}: SageMaker allows 1 minute to 1 hour"
                )
        if self.serverless is not None:
            self._check_serverless()
        else:
            self._set_instances()

    def _check_serverless(self) -> None:
        for field in ("instance_type", "count", "scaling", "volume_gib", "startup_timeout"):
            if (given := getattr(self, field)) is not None:
                raise ValueError(
                    f"{field} is {given!r} beside serverless: a serverless variant has no instances; leave one out"
                )

    def _set_instances(self) -> None:
        scaling = self.scaling
        instance_type = normalised_instance_type(self.instance_type or _USUAL_INSTANCE_TYPE)
        count = self.count if self.count is not None else scaling.min_instances if scaling else 1
        object.__setattr__(self, "instance_type", instance_type)
        object.__setattr__(self, "count", count)
        if not Token.is_unresolved(count) and count < 1:
            raise ValueError(f"count is {count}: a variant needs at least 1 instance")
        volume = self.volume_gib
        if volume is not None and not Token.is_unresolved(volume) and not 1 <= volume <= _LARGEST_VOLUME_GIB:
            raise ValueError(f"volume_gib is {volume}: SageMaker allows 1 to {_LARGEST_VOLUME_GIB}")
        if scaling is None:
            return
        if instance_type.startswith("ml.t"):
            raise ValueError(
                f"scaling is given for {instance_type}: SageMaker scales no burstable instances; take another type"
            )
        bounds = (scaling.min_instances, count, scaling.max_instances)
        if not any(map(Token.is_unresolved, bounds)) and not bounds[0] <= bounds[1] <= bounds[2]:
            raise ValueError(
                f"count is {count}: give scaling's min_instances to max_instances ({bounds[0]} to {bounds[2]})"
            )
