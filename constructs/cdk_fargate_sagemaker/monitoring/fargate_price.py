"""The price of a Fargate task."""

from dataclasses import dataclass

from .._checks import check_kind, check_number


@dataclass(frozen=True, slots=True, kw_only=True)
class FargatePrice:
    """Holds prices per hour; https://aws.amazon.com/fargate/pricing lists them by region and architecture.

    Args:
        vcpu_hour: price per vCPU and hour, above 0.
        gib_hour: price per GiB of memory and hour, at least 0.
        currency: the currency of the prices. Default: $.

    Raises:
        InvalidArgumentError: a price out of range, or one that is known at deployment only.
    """

    vcpu_hour: float
    gib_hour: float
    currency: str = "$"

    def __post_init__(self) -> None:
        remedy = "give the price of one hour"
        check_number("vcpu_hour", self.vcpu_hour, above=0, below=1000, token=False, remedy=remedy)
        check_number("gib_hour", self.gib_hour, at_least=0, below=1000, token=False, remedy=remedy)
        check_kind("currency", self.currency, str, "text")

    def task_hour(self, *, cpu: float, memory_mib: float) -> float:
        """Computes the on-demand price of one task per hour.

        Args:
            cpu: CPU units of the task, 1024 per vCPU.
            memory_mib: its memory in MiB.

        Raises:
            InvalidArgumentError: a size that is not positive, or one that is known at deployment only.
        """
        check_number("cpu", cpu, above=0, token=False)
        check_number("memory_mib", memory_mib, above=0, token=False)
        return self.vcpu_hour * cpu / 1024 + self.gib_hour * memory_mib / 1024
