"""What an endpoint runs: everything of it that a release makes anew."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .data_capture import DataCapture
from .endpoint_variant import EndpointVariant
from .shadow_variant import ShadowVariant
from .vpc_placement import VpcPlacement

_MOST_VARIANTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfiguration:
    """What an endpoint runs, whatever model is released to it.

    Args:
        variants: what answers, 1 to 10 of them. Default: one `ml.m5.large` named `primary`.
        shadow: what gets a copy of the requests, beside exactly one variant. Default: nothing does.
        data_capture: keeps requests and answers. Default: none are kept.
        vpc: where the containers are. Default: in SageMaker's own network.
        network_isolation: the containers can call nothing, not even AWS. Default: they cannot; serverless variants,
            for which SageMaker has no isolation, can.

    Raises:
        ValueError: parts that SageMaker does not take together.
    """

    variants: Sequence[EndpointVariant] = field(default_factory=lambda: (EndpointVariant(),))
    shadow: ShadowVariant | None = None
    data_capture: DataCapture | None = None
    vpc: VpcPlacement | None = None
    network_isolation: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "variants", tuple(self.variants))
        if not 1 <= len(self.variants) <= _MOST_VARIANTS:
            raise ValueError(f"variants has {len(self.variants)} entries: SageMaker takes 1 to {_MOST_VARIANTS}")
        names = [variant.name for variant in self.all_variants]
        if len(set(names)) < len(names):
            raise ValueError(f"variants are named {', '.join(names)}: give each a name of its own")
        if self.shadow is not None and len(self.variants) > 1:
            raise ValueError(
                f"shadow is given beside {len(self.variants)} variants: SageMaker takes it beside one alone"
            )
        serverless = any(variant.serverless for variant in self.variants)
        if serverless:
            self._check_serverless()
        if self.network_isolation is None:
            object.__setattr__(self, "network_isolation", not serverless)

    @property
    def all_variants(self) -> tuple[EndpointVariant, ...]:
        """The variants, and the shadow's after them."""
        return (*self.variants, *((self.shadow.variant,) if self.shadow else ()))

    def _check_serverless(self) -> None:
        if len(self.variants) > 1:
            raise ValueError(
                f"variants has {len(self.variants)} entries with a serverless one: SageMaker takes that one alone"
            )
        for field_name in ("shadow", "data_capture", "vpc", "network_isolation"):
            if getattr(self, field_name):
                raise ValueError(
                    f"{field_name} is given beside a serverless variant: SageMaker has it for instances alone"
                )
