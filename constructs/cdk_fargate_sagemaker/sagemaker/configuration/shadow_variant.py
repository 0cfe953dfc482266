"""A shadow variant: it gets a copy of the requests, and no client gets its answers."""

from dataclasses import dataclass, field

from ..._checks import check_kind, check_number, refusal
from .endpoint_variant import EndpointVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowVariant:
    """Gets a copy of `percent` of the requests; its answers go to metrics and captured data, not to clients.

    Args:
        percent: percentage of the requests, above 0, at most 100.
        variant: the variant that gets the copies, for example with another `instance_type` or another `model_name`. Its
            weight is ignored. Default: one `ml.m5.large` named `shadow` with the released model.

    Raises:
        InvalidArgumentError: a percentage that is out of range or known only at deployment, or a variant that is
            serverless or scaled.

    Example:
        ```python
        shadowed = EndpointConfiguration(
            shadow=ShadowVariant(percent=20, variant=EndpointVariant(name="shadow", instance_type="ml.c7i.large"))
        )
        ```
    """

    percent: float
    variant: EndpointVariant = field(default_factory=lambda: EndpointVariant(name="shadow"))

    def __post_init__(self) -> None:
        # The shadow's weight is computed from this percentage.
        check_number("percent", self.percent, above=0, at_most=100, token=False)
        check_kind("variant", self.variant, EndpointVariant)
        if self.variant.serverless is not None:
            raise refusal(
                "variant", self.variant, "one on instances, on which alone SageMaker shadows", "leave serverless out"
            )
        if self.variant.scaling is not None:
            raise refusal("variant", self.variant, "one without scaling", "a shadow keeps its count; leave scaling out")
