"""How posts are prepared for training by a program of the team's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from aws_cdk import Duration, Token

from ._instance_type import normalised_instance_type
from .model_image import ModelImage
from .vpc_placement import VpcPlacement

INPUT_FOLDER = "/opt/ml/processing/input"
OUTPUT_FOLDER = "/opt/ml/processing/output"

# CreateProcessingJob's limits
_MOST_WORDS = 100
_MOST_VARIABLES = 100
_LONGEST_WORD = 256
_LARGEST_VOLUME_GIB = 16384
_LONGEST_RUN_DAYS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingJob:
    """Runs a program over the extracted posts before training.

    It finds them in `/opt/ml/processing/input/train/posts.jsonl` and `…/test/posts.jsonl`, lines of `{"text",
    "label"}`, and leaves what training shall be given in `/opt/ml/processing/output/train/` and `…/test/`, in whatever
    form its training program reads. An exit status other than 0 fails the release; what the program says of it in
    `/opt/ml/output/message`, SageMaker passes on.

    The new model and the current one are judged on the same posts, so held-out posts should keep number and labels.

    Args:
        image: has the program.
        instance_type: `ml.m5.xlarge`; `m5.xlarge` means the same.
        volume_gib: disk of the machine.
        max_runtime: when it is stopped as failed, 1 minute to 5 days.
        entry_point: the program, in words. Default: the image's own.
        arguments: the program's arguments. Default: none.
        environment: the program's variables. Default: none of its own.
        network_isolation: the program reaches nothing but its folders.
        vpc: where the machine is. Default: in SageMaker's own network.

    Raises:
        ValueError: a value that SageMaker would refuse.
    """

    image: ModelImage
    instance_type: str = "ml.m5.xlarge"
    volume_gib: int = 30
    max_runtime: Duration = field(default_factory=lambda: Duration.hours(1))
    entry_point: Sequence[str] | None = None
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    network_isolation: bool = True
    vpc: VpcPlacement | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "instance_type", normalised_instance_type(self.instance_type))
        object.__setattr__(self, "arguments", tuple(self.arguments))
        object.__setattr__(self, "environment", MappingProxyType(dict(self.environment)))
        if self.entry_point is not None:
            object.__setattr__(self, "entry_point", tuple(self.entry_point))
            _check_words("entry_point", self.entry_point, least=1)
        _check_words("arguments", self.arguments, least=0)
        if len(self.environment) > _MOST_VARIABLES:
            raise ValueError(f"environment has {len(self.environment)} entries: SageMaker allows {_MOST_VARIABLES}")
        if not Token.is_unresolved(self.volume_gib) and not 1 <= self.volume_gib <= _LARGEST_VOLUME_GIB:
            raise ValueError(f"volume_gib is {self.volume_gib}: SageMaker allows 1 to {_LARGEST_VOLUME_GIB}")
        if (
            not self.max_runtime.is_unresolved()
            and not 60 <= self.max_runtime.to_seconds() <= _LONGEST_RUN_DAYS * 86400
        ):
            raise ValueError(
                f"max_runtime is {self.max_runtime.to_human_string()}: "
                f"SageMaker allows 1 minute to {_LONGEST_RUN_DAYS} days"
            )


def _check_words(name: str, words: Sequence[str], *, least: int) -> None:
    if not least <= len(words) <= _MOST_WORDS:
        raise ValueError(f"{name} has {len(words)} words: SageMaker allows {least} to {_MOST_WORDS}")
    for word in words:
        if not Token.is_unresolved(word) and not 1 <= len(word) <= _LONGEST_WORD:
            raise ValueError(f"{name} has a word of {len(word)} characters: SageMaker allows 1 to {_LONGEST_WORD}")
