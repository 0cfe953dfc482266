"""How a model is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from aws_cdk import Duration, Token

from ._instance_type import normalised_instance_type
from .vpc_placement import VpcPlacement

# CreateTrainingJob's limits
_MOST_HYPERPARAMETERS = 100
_LONGEST_NAME = 256
_LONGEST_VALUE = 2500
_LARGEST_VOLUME_GIB = 16384
_LONGEST_RUN_DAYS = 28
_LONGEST_KEEP_ALIVE_SECONDS = 6 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """One training on one machine.

    Args:
        instance_type: `ml.m5.xlarge`; `m5.xlarge` means the same.
        volume_gib: disk of the machine.
        max_runtime: when it is stopped as failed, 1 minute to 28 days of running.
        hyperparameters: reach the training program as strings, whatever they are given as.
        network_isolation: the program reaches nothing but its channels. Without it, the internet too, as for a
            checkpoint from a model hub.
        spot_max_wait: takes spare machines, which are cheaper and may be taken away: waiting for one and running may
            take this long together, at least `max_runtime`. Default: an ordinary machine.
        checkpoints: whatever the program keeps in `/opt/ml/checkpoints` is copied to S3 while it runs, and is there
            again when a machine that was taken away is replaced. Default: with `spot_max_wait`.
        keep_alive: the machine waits this long for the next training, and is billed for it, 1 second to 6 hours. It
            needs a quota for warm pools. Default: it goes at once.
        vpc: where the machine is. Default: in SageMaker's own network.

    Raises:
        ValueError: a value that SageMaker would refuse, or values that exclude each other.
    """

    instance_type: str = "ml.m5.xlarge"
    volume_gib: int = 30
    max_runtime: Duration = field(default_factory=lambda: Duration.hours(4))
    hyperparameters: Mapping[str, str | int | float] = field(default_factory=dict)
    network_isolation: bool = True
    spot_max_wait: Duration | None = None
    checkpoints: bool | None = None
    keep_alive: Duration | None = None
    vpc: VpcPlacement | None = None

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
        if self.checkpoints is None:
            object.__setattr__(self, "checkpoints", self.spot_max_wait is not None)
        self._check_machines()
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

    @property
    def longest(self) -> Duration:
        """How long a job may take, its waiting for a spare machine included."""
        return self.spot_max_wait or self.max_runtime

    def _check_machines(self) -> None:
        wait, keep = self.spot_max_wait, self.keep_alive
        if wait is not None and keep is not None:
            raise ValueError(
                "keep_alive is given beside spot_max_wait: SageMaker keeps no spot machines; leave one out"
            )
        if (
            wait is not None
            and not (wait.is_unresolved() or self.max_runtime.is_unresolved())
            and wait.to_seconds() < self.max_runtime.to_seconds()
        ):
            raise ValueError(
                f"spot_max_wait is {wait.to_human_string()}: it includes the running, so give at least max_runtime "
                f"({self.max_runtime.to_human_string()})"
            )
        if keep is None or keep.is_unresolved():
            return
        if not 1 <= keep.to_seconds() <= _LONGEST_KEEP_ALIVE_SECONDS:
            raise ValueError(f"keep_alive is {keep.to_human_string()}: SageMaker allows 1 second to 6 hours")
