"""Serverless inference: serving without instances."""

from dataclasses import dataclass

from ..._checks import check_number, check_one_of
from ..._number_token import is_token

# ProductionVariantServerlessConfig's limits
_MEMORY_MIB = range(1024, 6144 + 1, 1024)
_MOST_CONCURRENT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerlessInference:
    """Serves on capacity that SageMaker scales by itself, down to zero.

    A request that finds no container waits for one to start.

    Args:
        memory_mib: 1024, 2048, 3072, 4096, 5120 or 6144. CPU is in proportion; there are no GPUs. Default: 2048.
        max_concurrency: number of requests that are answered at the same time, 1 to 200; further ones are throttled.
            Default: 10.
        provisioned_concurrency: number of containers that are kept warm and billed all the time, at most
            `max_concurrency`. Default: none.

    Raises:
        InvalidArgumentError: a value that SageMaker would refuse.

    Example:
        ```python
        serverless = EndpointVariant(serverless=ServerlessInference(memory_mib=4096, max_concurrency=20))
        ```
    """

    memory_mib: int = 2048
    max_concurrency: int = 10
    provisioned_concurrency: int | None = None

    def __post_init__(self) -> None:
        check_one_of("memory_mib", self.memory_mib, _MEMORY_MIB)
        check_number("max_concurrency", self.max_concurrency, at_least=1, at_most=_MOST_CONCURRENT, whole=True)
        if self.provisioned_concurrency is not None:
            check_number(
                "provisioned_concurrency",
                self.provisioned_concurrency,
                at_least=1,
                at_most=_MOST_CONCURRENT if is_token(self.max_concurrency) else self.max_concurrency,
                whole=True,
                remedy="max_concurrency bounds it",
            )
