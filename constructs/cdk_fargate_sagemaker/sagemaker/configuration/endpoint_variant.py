"""One production variant of an endpoint."""

import re
from dataclasses import dataclass

from aws_cdk import Duration, Token

from ..._checks import check_duration, check_kind, check_number, plain, refusal
from ..._number_token import is_token
from ..machines._instance_type import is_burstable, normalised_instance_type
from ..machines._machine_image import has_gpu, inference_ami
from .endpoint_scaling import EndpointScaling
from .serverless_inference import ServerlessInference

# CreateEndpointConfig's limits
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_NAMES = "1 to 63 letters, digits and inner hyphens"
_LARGEST_VOLUME_GIB = 512
_SHORTEST_STARTUP, _LONGEST_STARTUP = Duration.minutes(1), Duration.hours(1)

_USUAL_INSTANCE_TYPE = "ml.m5.large"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointVariant:
    """Serves a share of the requests: its `weight` divided by the sum of all variants' weights.

    It runs on `count` instances of `instance_type`, or serverless: then `instance_type` and `count` are None. A variant
    keeps its name from release to release: SageMaker shifts traffic only between variants of the same name.

    Args:
        name: 1 to 63 letters, digits and inner hyphens. Default: `primary`.
        instance_type: such as `ml.m5.large`; `m5.large` means the same. Default: `ml.m5.large`.
        count: number of instances that a release starts with, at least 1. Default: the `min_instances` of `scaling`;
            without scaling 1.
        serverless: capacity that SageMaker manages. Default: none, the variant runs on instances.
        weight: 0 or more. Default: 1.
        scaling: scales the count with the load. Default: none, the count is fixed.
        volume_gib: volume of an instance whose type has no local disks, 1 to 512 GiB. Default: SageMaker's.
        startup_timeout: how long a container may take until it answers its health check, 1 minute to 1 hour.
            Default: SageMaker's.
        inference_ami: SageMaker's machine image with its GPU driver, such as `al2-ami-sagemaker-inference-gpu-3-1`.
            Default: SageMaker's, except on ml.g4dn, ml.g5, ml.p4d and ml.p4de. SageMaker's driver 470 for these types
            is too old for CUDA 12: they get `al2-ami-sagemaker-inference-gpu-3-1` with driver 550.
        model_name: an existing model, for example for a comparison. Default: the released model.

    Raises:
        InvalidArgumentError: a value that SageMaker would refuse, or values that exclude each other.

    Example:
        ```python
        variant = EndpointVariant(instance_type="ml.c6i.large", count=3)
        ```
    """

    name: str = "primary"
    instance_type: str | None = None
    count: int | None = None
    serverless: ServerlessInference | None = None
    weight: float = 1
    scaling: EndpointScaling | None = None
    volume_gib: int | None = None
    startup_timeout: Duration | None = None
    inference_ami: str | None = None
    model_name: str | None = None

    def __post_init__(self) -> None:
        _check_name("name", self.name)
        if self.model_name is not None:
            _check_name("model_name", self.model_name)
        check_number("weight", self.weight, at_least=0)
        if self.serverless is not None:
            self._check_serverless()
        else:
            self._set_instances()

    @property
    def has_gpu(self) -> bool:
        """Whether its instances have GPUs; False if the instance type is known only at deployment."""
        return self.instance_type is not None and has_gpu(self.instance_type)

    def _check_serverless(self) -> None:
        check_kind("serverless", self.serverless, ServerlessInference)
        for field in ("instance_type", "count", "scaling", "volume_gib", "startup_timeout", "inference_ami"):
            if (given := getattr(self, field)) is not None:
                raise refusal(
                    field, given, "none beside serverless, which has no instances", "leave one of the two out"
                )

    def _set_instances(self) -> None:
        scaling = self.scaling
        if scaling is not None:
            check_kind("scaling", scaling, EndpointScaling)
        instance_type = normalised_instance_type(
            _USUAL_INSTANCE_TYPE if self.instance_type is None else self.instance_type
        )
        count = self.count if self.count is not None else scaling.min_instances if scaling else 1
        check_number("count", count, at_least=1, whole=True)
        object.__setattr__(self, "instance_type", instance_type)
        object.__setattr__(self, "count", count)
        object.__setattr__(self, "inference_ami", inference_ami(self.inference_ami, instance_type))
        if self.volume_gib is not None:
            check_number("volume_gib", self.volume_gib, at_least=1, at_most=_LARGEST_VOLUME_GIB, whole=True)
        if self.startup_timeout is not None:
            check_duration(
                "startup_timeout",
                self.startup_timeout,
                at_least=_SHORTEST_STARTUP,
                at_most=_LONGEST_STARTUP,
                whole="seconds",
            )
        if scaling is None:
            return
        if is_burstable(instance_type):
            raise refusal(
                "scaling",
                plain(f"one for {instance_type}"),
                "none for burstable instances, which SageMaker does not scale",
                "take another instance_type",
            )
        bounds = (scaling.min_instances, count, scaling.max_instances)
        if not any(map(is_token, bounds)) and not bounds[0] <= bounds[1] <= bounds[2]:
            raise refusal("count", count, f"scaling's min_instances to max_instances, {bounds[0]} to {bounds[2]}")


def _check_name(name: str, given: str) -> None:
    check_kind(name, given, str, _NAMES)
    if not Token.is_unresolved(given) and not _NAME.fullmatch(given):
        raise refusal(name, given, _NAMES)
