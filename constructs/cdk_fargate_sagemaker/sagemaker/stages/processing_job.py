"""How posts are prepared for training by a program of the team's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from aws_cdk import Duration, Token

from ..._checks import check_kind, check_sequence, plain, refusal
from ..machines._environment import check_environment
from ..machines._instance_type import normalised_instance_type
from ..machines._interfaces import check_model_image, check_placement
from ..machines._job_limits import check_max_runtime, check_volume
from ..machines.model_image import ModelImage
from ..machines.vpc_placement import VpcPlacement

INPUT_FOLDER = "/opt/ml/processing/input"
OUTPUT_FOLDER = "/opt/ml/processing/output"

# CreateProcessingJob's limits
_MOST_WORDS = 100
_MOST_VARIABLES = 100
_LONGEST_WORD = 256
_LONGEST_RUN = Duration.days(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingJob:
    """Runs a program over the extracted posts before training.

    It finds them in `/opt/ml/processing/input/train/posts.jsonl` and `…/test/posts.jsonl`, lines of `{"text",
    "label"}`, and leaves what training shall be given in `/opt/ml/processing/output/train/` and `…/test/`, in whatever
    form its training program reads. An exit status other than 0 fails the release; what the program says of it in
    `/opt/ml/output/message`, SageMaker passes on.

    The new model and the current one are judged on the same posts, so held-out posts should keep number and labels.

    Args:
        image: has the program, as a `ModelImage`.
        instance_type: `ml.m5.xlarge`; `m5.xlarge` means the same.
        volume_gib: disk of the machine, 1 to 16,384 GiB.
        max_runtime: when it is stopped as failed, 1 minute to 5 days. Default: 1 hour.
        entry_point: the program, in 1 to 100 words. Default: the image's own.
        arguments: the program's arguments, at most 100 words. Default: none.
        environment: the program's variables, at most 100 texts. Default: none.
        network_isolation: the program reaches nothing but its folders.
        vpc: where the machine is. Default: in SageMaker's own network.

    Raises:
        InvalidArgumentError: a value that SageMaker would refuse, or a `max_runtime` that is known at deployment only.

    Example:
        ```python
        preparing = ProcessingJob(
            image=model_image,
            entry_point=["python", "prepare.py"],
            arguments=["--language", "ja"],
            max_runtime=cdk.Duration.minutes(30),
        )
        ```
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
        check_model_image("image", self.image)
        object.__setattr__(self, "instance_type", normalised_instance_type(self.instance_type))
        check_volume(self.volume_gib)
        check_max_runtime(self.max_runtime, at_most=_LONGEST_RUN)
        if self.entry_point is not None:
            object.__setattr__(self, "entry_point", _checked_words("entry_point", self.entry_point, least=1))
        object.__setattr__(self, "arguments", _checked_words("arguments", self.arguments, least=0))
        check_environment("environment", self.environment)
        if len(self.environment) > _MOST_VARIABLES:
            raise refusal("environment", plain(f"{len(self.environment)} variables"), f"at most {_MOST_VARIABLES}")
        object.__setattr__(self, "environment", MappingProxyType(dict(self.environment)))
        check_kind("network_isolation", self.network_isolation, bool, "True or False")
        if self.vpc is not None:
            check_placement(self.vpc)


def _checked_words(name: str, words: Sequence[str], *, least: int) -> tuple[str, ...]:
    listed = check_sequence(name, words, "a list of words")
    if not least <= len(listed) <= _MOST_WORDS:
        raise refusal(name, plain(f"{len(listed)} words"), f"{least} to {_MOST_WORDS}")
    for word in listed:
        check_kind(name, word, str, "words as text")
        if not Token.is_unresolved(word) and not 1 <= len(word) <= _LONGEST_WORD:
            raise refusal(name, plain(f"a word of {len(word)} characters"), f"words of 1 to {_LONGEST_WORD} characters")
    return tuple(listed)
