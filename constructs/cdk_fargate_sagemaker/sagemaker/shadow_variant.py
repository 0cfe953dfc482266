"""What gets a copy of the requests and answers nobody."""

import math
from dataclasses import dataclass, field

from aws_cdk import Token

from .endpoint_variant import EndpointVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowVariant:
    """Gets a copy of `percent` of the requests; its answers go to metrics and captured data, to no client.

    Args:
        percent: above 0, at most 100.
        variant: what runs it, as other instances (`instance_type`) or another model (`model_name`). Its weight says
            nothing here. Default: one `ml.m5.large` named `shadow` with the model that is released.

    Raises:
        ValueError: a percentage that cannot be, or a variant that is serverless or scaled.
    """

    percent: float
    variant: EndpointVariant = field(default_factory=lambda: EndpointVariant(name="shadow"))

    def __post_init__(self) -> None:
        # NaN has no JSON, so it must not reach jsii.
        if not 0 < self.percent <= 100 and (math.isnan(self.percent) or not Token.is_unresolved(self.percent)):
            raise ValueError(f"percent is {self.percent}: give above 0, at most 100")
        if self.variant.serverless is not None:
            raise ValueError("variant is serverless: SageMaker shadows on instances alone; leave serverless out")
        if self.variant.scaling is not None:
            raise ValueError("variant has scaling: a shadow keeps its count; leave scaling out")
