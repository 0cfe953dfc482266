"""What a Fargate task costs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FargatePrice:
    """Prices of an hour; https://aws.amazon.com/fargate/pricing has them by region and architecture.

    Args:
        vcpu_hour: price of a vCPU for an hour, above 0.
        gib_hour: price of a GiB of memory for an hour, at least 0.
        currency: what they are in. Default: $.

    Raises:
        ValueError: a price that is none.
    """

    vcpu_hour: float
    gib_hour: float
    currency: str = "$"

    def __post_init__(self) -> None:
        if not 0 < self.vcpu_hour < 1000:
            raise ValueError(f"vcpu_hour: got {self.vcpu_hour}, allowed: above 0, below 1000, for one hour")
        if not 0 <= self.gib_hour < 1000:
            raise ValueError(f"gib_hour: got {self.gib_hour}, allowed: at least 0, below 1000, for one hour")

    def task_hour(self, *, cpu: float, memory_mib: float) -> float:
        """The price of one task for an hour, on demand, of `cpu` units (1024 a vCPU) and `memory_mib` MiB."""
        return self.vcpu_hour * cpu / 1024 + self.gib_hour * memory_mib / 1024
