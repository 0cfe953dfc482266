"""How the current model is asked about the held-out posts."""

from dataclasses import dataclass, field

from aws_cdk import Duration

from ._instance_type import normalised_instance_type


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformJob:
    """Asks the current model about the posts that the new one is judged on, one by one, on a machine of its own.

    SageMaker stops no such job by itself: one that goes on for `max_runtime` (2 hours) is stopped, and the release with
    it. `instance_type` has to run the inference image; SageMaker has no burstable ones for it.
    """

    instance_type: str = "ml.m5.large"
    max_runtime: Duration = field(default_factory=lambda: Duration.hours(2))

    def __post_init__(self) -> None:
        object.__setattr__(self, "instance_type", normalised_instance_type(self.instance_type))
        if self.instance_type.startswith("ml.t"):
            raise ValueError(f"instance_type is {self.instance_type!r}: SageMaker transforms on no burstable instances")
        if not self.max_runtime.is_unresolved() and self.max_runtime.to_seconds() < 60:
            raise ValueError(f"max_runtime is {self.max_runtime.to_human_string()}: give at least 1 minute")
