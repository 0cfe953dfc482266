"""How a model is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aws_cdk import Duration, Token

from ._instance_type import normalised_instance_type

# CreateTrainingJob's limits
_MOST_HYPERPARAMETERS = 100
_LONGEST_NAME = 256
_LONGEST_VALUE = 2500
_LARGEST_VOLUME_GIB = 16384
_LONGEST_RUN_DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One training: a machine with `volume_gib` of disk, stopped as failed once it has run for `max_runtime`.

    `hyperparameters` reach the training program as strings, whatever they are given as. With `network_isolation` the
    program reaches nothing but its channels; without it, the internet too, as for a checkpoint from a model hub.
    """

    instance_type: str = "ml.m5.xlarge"
    volume_gib: int = 30
    max_runtime: Duration = field(default_factory=lambda: Duration.hours(4))
    hyperparameters: Mapping[str, str | int | float] = field(default_factory=dict)
    network_isolation: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "instance_type", normalised_instance_type(self.instance_type))
        texts = {name: str(value) for name, value in self.hyperparameters.items()}
        object.__setattr__(self, "hyperparameters", MappingProxyType(texts))
        if not Token.is_unresolved(self.volume_gib) and not 1 <= self.volume_gib <= _LARGEST_VOLUME_GIB:
            raise ValueError(f"volume_gib is {self.volume_gib}: SageMaker allows 1 to {_LARGEST_VOLUME_GIB}")
        if not self.max_runtime.is_unresolved() and not (
            Duration.minutes(1).to_seconds() <= self.max_runtime.to_seconds() <= _LONGEST_RUN_DAYS * 86400
        ):
            raise ValueError(
                f"max_runtime is {self.max_runtime.to_human_string()}: "
                f"SageMaker allows 1 minute to {_LONGEST_RUN_DAYS} days"
            )
        if len(texts) > _MOST_HYPERPARAMETERS:
            raise ValueError(f"hyperparameters has {len(texts)} entries: SageMaker allows {_MOST_HYPERPARAMETERS}")
        for name, value in texts.items():
            if not 1 <= len(name) <= _LONGEST_NAME:
                raise ValueError(
                    f"hyperparameters has the name {name[:40]!r} of {len(name)} characters: "
                    f"SageMaker allows 1 to {_LONGEST_NAME}"
                )
            if len(value) > _LONGEST_VALUE:
                raise ValueError(
                    f"hyperparameters[{name!r}] has {len(value)} characters: SageMaker allows {_LONGEST_VALUE}"
                )
