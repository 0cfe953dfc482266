"""The endpoint configuration that each release creates again: variants, scaling, data capture, network."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..._checks import check_kind, check_number, check_sequence, plain, refusal
from ..machines.vpc_placement import VpcPlacement
from .data_capture import DataCapture
from .endpoint_variant import EndpointVariant
from .shadow_variant import ShadowVariant

_MOST_VARIANTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfiguration:
    """The settings of an endpoint that stay the same when another model is released to it.

    Args:
        variants: the variants that answer requests, 1 to 10 of them. Default: one `ml.m5.large` named `primary`.
        shadow: gets a copy of the requests; requires exactly one variant. Default: no shadow.
        data_capture: stores requests and answers. Default: none are stored.
        vpc: the subnets and security groups of the containers. Default: SageMaker's own network.
        network_isolation: containers have no network access, not even to AWS. Default: on; off with serverless
            variants, for which SageMaker does not support it.

    Raises:
        InvalidArgumentError: settings that SageMaker does not accept together.

    Example:
        ```python
        configuration = EndpointConfiguration(
            variants=[
                EndpointVariant(
                    instance_type="ml.c7i.large",
                    scaling=EndpointScaling(min_instances=2, max_instances=8, invocations_per_instance=600),
                )
            ],
            data_capture=DataCapture(bucket=bucket, percent=5),
        )
        ```
    """

    variants: Sequence[EndpointVariant] = field(default_factory=lambda: (EndpointVariant(),))
    shadow: ShadowVariant | None = None
    data_capture: DataCapture | None = None
    vpc: VpcPlacement | None = None
    network_isolation: bool | None = None

    def __post_init__(self) -> None:
        variants = check_sequence("variants", self.variants, "a list of EndpointVariants")
        for variant in variants:
            check_kind("variants", variant, EndpointVariant, "EndpointVariants")
        object.__setattr__(self, "variants", variants)
        for name, kind in (("shadow", ShadowVariant), ("data_capture", DataCapture), ("vpc", VpcPlacement)):
            if (given := getattr(self, name)) is not None:
                check_kind(name, given, kind)
        if not 1 <= len(self.variants) <= _MOST_VARIANTS:
            raise refusal("variants", plain(f"{len(self.variants)} variants"), f"1 to {_MOST_VARIANTS}")
        names = [variant.name for variant in self.all_variants]
        if len(set(names)) < len(names):
            raise refusal("variants", plain(f"variants named {', '.join(names)}"), "a name of its own for each")
        if self.shadow is not None:
            self._check_shadowed(self.shadow)
        serverless = any(variant.serverless for variant in self.variants)
        if serverless:
            self._check_serverless()
        if self.network_isolation is None:
            object.__setattr__(self, "network_isolation", not serverless)
        check_kind("network_isolation", self.network_isolation, bool, "True, False or None")

    @property
    def all_variants(self) -> tuple[EndpointVariant, ...]:
        """The production variants, followed by the shadow's variant."""
        return (*self.variants, *((self.shadow.variant,) if self.shadow else ()))

    def _check_shadowed(self, shadow: ShadowVariant) -> None:
        if len(self.variants) > 1:
            raise refusal(
                "shadow", shadow, f"none beside {len(self.variants)} variants", "SageMaker takes it beside one"
            )
        # The shadow's weight is computed from this weight.
        check_number("weight", self.variants[0].weight, token=False, remedy="the shadow's share is one of it")

    def _check_serverless(self) -> None:
        if len(self.variants) > 1:
            raise refusal(
                "variants",
                plain(f"{len(self.variants)} variants with a serverless one"),
                "a serverless one alone",
            )
        for field_name in ("shadow", "data_capture", "vpc", "network_isolation"):
            if given := getattr(self, field_name):
                raise refusal(
                    field_name, given, "none beside a serverless variant", "SageMaker has it for instances alone"
                )
