"""Serving without instances."""

from dataclasses import dataclass

from aws_cdk import Token

# ProductionVariantServerlessConfig's limits
_MEMORY_MIB = range(1024, 6144 + 1, 1024)
_MOST_CONCURRENT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessInference:
    """Serves on capacity that SageMaker brings and takes away by itself, down to none.

    A request that finds no container waits for one to start. At most `max_concurrency` requests are answered at once,
    the next is throttled. `provisioned_concurrency` containers are kept warm and billed by the hour; without it none.
    The memory is 1024, 2048, 3072, 4096, 5120 or 6144 MiB; CPU comes in proportion, a GPU never.
    """

    memory_mib: int = 2048
    max_concurrency: int = 10
    provisioned_concurrency: int | None = None

    def __post_init__(self) -> None:
        if not Token.is_unresolved(self.memory_mib) and self.memory_mib not in _MEMORY_MIB:
            raise ValueError(f"memory_mib is {self.memory_mib}: SageMaker allows {', '.join(map(str, _MEMORY_MIB))}")
        if not Token.is_unresolved(self.max_concurrency) and not 1 <= self.max_concurrency <= _MOST_CONCURRENT:
            raise ValueError(f"max_concurrency is {self.max_concurrency}: SageMaker allows 1 to {_MOST_CONCURRENT}")
        provisioned = self.provisioned_concurrency
        if provisioned is None or Token.is_unresolved(provisioned) or Token.is_unresolved(self.max_concurrency):
            return
        if not 1 <= provisioned <= self.max_concurrency:
            raise ValueError(
                f"provisioned_concurrency is {provisioned}: give 1 to max_concurrency ({self.max_concurrency})"
            )
