"""How posts are prepared for training by a program of the team's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

from aws_cdk import Duration, Token
from aws_cdk import aws_stepfunctions as sfn

from ..._checks import check_flags, check_kind, check_sequence, plain, refusal
from ..._readable_help import readable
from ..machines._environment import check_environment
from ..machines._instance_type import normalised_instance_type
from ..machines._interfaces import check_model_image, check_placement
from ..machines._job_limits import check_max_runtime, check_volume
from ..machines.model_image import ModelImage
from ..machines.vpc_placement import VpcPlacement, vpc_config
from ._data_access import allow_bucket_key, allow_reading, allow_writing
from ._job_requests import Request, output_key, volume_key
from .release_binding import AROUND_A_JOB, ReleaseBinding
from .release_stage import ReleaseStage, moved_posts

_INPUT_FOLDER = "/opt/ml/processing/input"
_OUTPUT_FOLDER = "/opt/ml/processing/output"

PROCESSING_ROLE = "ProcessingRole"
_SIDES = ("train", "test")

# CreateProcessingJob's limits
_MOST_WORDS = 100
_MOST_VARIABLES = 100
_LONGEST_WORD = 256
_LONGEST_RUN = Duration.days(5)

_MAX_RUNTIME = readable(Duration.hours(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingJob(ReleaseStage):
    """Runs a program over the extracted posts before training.

    It reads them from `/opt/ml/processing/input/train/posts.jsonl` and `…/test/posts.jsonl`, lines of `{"text",
    "label"}`, and writes the training data to `/opt/ml/processing/output/train/` and `…/test/`, in whatever form the
    training program reads. An exit status other than 0 fails the release; SageMaker reports what the program wrote to
    `/opt/ml/output/message`.

    The new model and the current one are judged on the same posts, so held-out posts should keep number and labels.

    Args:
        image: has the program, as a `ModelImage`.
        instance_type: `ml.m5.xlarge`; `m5.xlarge` means the same. Default: `ml.m5.xlarge`.
        volume_gib: disk of the machine, 1 to 16,384 GiB. Default: 30.
        max_runtime: time limit, after which the job is stopped and fails, 1 minute to 5 days. Default: 1 hour.
        entry_point: the program, in 1 to 100 words. Default: the image's own.
        arguments: the program's arguments, at most 100 words. Default: none.
        environment: the program's variables, at most 100 texts. Default: none.
        network_isolation: the program has no network access. Default: on.
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

    slots: ClassVar[tuple[str, ...]] = ("preprocess",)

    image: ModelImage
    instance_type: str = "ml.m5.xlarge"
    volume_gib: int = 30
    max_runtime: Duration = _MAX_RUNTIME
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
        check_flags(network_isolation=self.network_isolation)
        if self.vpc is not None:
            check_placement(self.vpc)

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Runs the program over both sides of the posts; the following states read its output."""
        role = release.job_role(PROCESSING_ROLE, "ProcessingJobs", vpc=self.vpc)
        allow_reading(role, release.data_bucket, "runs/*")
        allow_writing(role, release.data_bucket, "runs/*/preprocessed/*")
        allow_bucket_key(role, release.data_bucket, "kms:Encrypt")
        outputs = {side: release.run_uri(f"preprocessed/{side}/") for side in _SIDES}
        preprocess = release.job(
            "Processing",
            self._request(
                release,
                image_uri=self.image.bind(release.scope, "ProcessingImage", puller=role),
                role_arn=role.role_arn,
                outputs=outputs,
            ),
            role=role,
            longest=self.max_runtime,
            within=self.max_runtime.plus(AROUND_A_JOB),
            assign={"posts": moved_posts(**outputs)},
        )
        preprocess.next(then)
        return preprocess

    def _request(
        self, release: ReleaseBinding, *, image_uri: str, role_arn: str, outputs: Mapping[str, str]
    ) -> Request:
        program: Request = {"ImageUri": image_uri}
        if self.entry_point is not None:
            program["ContainerEntrypoint"] = list(self.entry_point)
        if self.arguments:
            program["ContainerArguments"] = list(self.arguments)
        return {
            "ProcessingJobName": "{% $release %}",
            "RoleArn": role_arn,
            "AppSpecification": program,
            "Environment": dict(self.environment),
            "ProcessingInputs": [
                {
                    "InputName": side,
                    "S3Input": {
                        "S3Uri": f"{{% $posts.{side}.uri %}}",
                        "LocalPath": f"{_INPUT_FOLDER}/{side}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                        "S3DataDistributionType": "FullyReplicated",
                    },
                }
                for side in _SIDES
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": side,
                        "S3Output": {
                            "S3Uri": f"{{% {uri} %}}",
                            "LocalPath": f"{_OUTPUT_FOLDER}/{side}",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                    for side, uri in outputs.items()
                ],
                **output_key(release.output_key_id),
            },
            "ProcessingResources": {
                "ClusterConfig": {
                    "InstanceCount": 1,
                    "InstanceType": self.instance_type,
                    "VolumeSizeInGB": self.volume_gib,
                    **volume_key(self.instance_type, release.encryption_key.key_arn),
                }
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": self.max_runtime.to_seconds()},
            "NetworkConfig": {"EnableNetworkIsolation": self.network_isolation, **vpc_config(self.vpc)},
        }


def _checked_words(name: str, words: Sequence[str], *, least: int) -> tuple[str, ...]:
    listed = check_sequence(name, words, "a list of words")
    if not least <= len(listed) <= _MOST_WORDS:
        raise refusal(name, plain(f"{len(listed)} words"), f"{least} to {_MOST_WORDS}")
    for word in listed:
        check_kind(name, word, str, "words as text")
        if not Token.is_unresolved(word) and not 1 <= len(word) <= _LONGEST_WORD:
            raise refusal(name, plain(f"a word of {len(word)} characters"), f"words of 1 to {_LONGEST_WORD} characters")
    return tuple(listed)
