"""What serves an endpoint."""

from dataclasses import dataclass

from aws_cdk import Token

from ._instance_type import normalised_instance_type


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointInstances:
    """What serves the model: `count` instances of `instance_type` (`ml.m5.large`; `m5.large` means the same)."""

    instance_type: str = "ml.m5.large"
    count: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "instance_type", normalised_instance_type(self.instance_type))
        if not Token.is_unresolved(self.count) and self.count < 1:
            raise ValueError(f"count is {self.count}: an endpoint needs at least 1 instance")
