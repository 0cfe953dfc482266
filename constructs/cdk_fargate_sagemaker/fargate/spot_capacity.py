"""How tasks are distributed over Fargate and Fargate Spot."""

from dataclasses import dataclass

from aws_cdk import aws_ecs as ecs

from .._checks import check_number


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCapacity:
    """The first `on_demand_base` tasks run on Fargate; those above are shared by weight.

    Spot tasks cost less and may be stopped with two minutes' notice.

    Args:
        on_demand_base: tasks that never run on Spot, 0 to 100000. Default: 1.
        on_demand_weight: Fargate's weight for the tasks above the base, 0 to 1000. Default: 0, all of them run on Spot.
        spot_weight: Fargate Spot's weight for the tasks above the base, 1 to 1000. Default: 1.

    Raises:
        InvalidArgumentError: a number outside its range.
    """

    on_demand_base: int = 1
    on_demand_weight: int = 0
    spot_weight: int = 1

    def __post_init__(self) -> None:
        for name, least, most in (
            ("on_demand_base", 0, 100_000),
            ("on_demand_weight", 0, 1000),
            ("spot_weight", 1, 1000),
        ):
            check_number(name, getattr(self, name), at_least=least, at_most=most, whole=True)

    def strategies(self) -> list[ecs.CapacityProviderStrategy]:
        """The same as capacity provider strategies of ECS."""
        return [
            ecs.CapacityProviderStrategy(
                capacity_provider="FARGATE", base=self.on_demand_base, weight=self.on_demand_weight
            ),
            ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=self.spot_weight),
        ]
