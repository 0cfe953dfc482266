"""How a model is trained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

from aws_cdk import Duration, Tokenization
from aws_cdk import aws_stepfunctions as sfn

from ..._allow import allow
from ..._checks import check_duration, check_flags, check_kind, check_sequence, plain, refusal
from ..._number_token import is_token
from ..._readable_help import readable
from ..machines._instance_type import normalised_instance_type
from ..machines._interfaces import check_model_image, check_placement
from ..machines._job_limits import check_max_runtime, check_volume
from ..machines.model_image import ModelImage
from ..machines.vpc_placement import VpcPlacement, vpc_config
from ..workflow._later_names import OBJECTS_OF_LATER
from ._data_access import allow_bucket_key, allow_reading, allow_writing
from ._job_requests import Request, output_key, volume_key
from .data_channel import SIDES, DataChannel
from .input_channel import InputChannel, check_channel_name
from .release_binding import AROUND_A_JOB, ReleaseBinding
from .release_stage import ReleaseStage

TRAINING_ROLE = "TrainingRole"
_TRAINED_FOLDER = "trained/"
"""Where a training job's output is put, below its run: it may write nowhere that a model is served from."""
_TRAINED = f"runs/*/{_TRAINED_FOLDER}*"
_CHECKPOINTS = "runs/*/checkpoints/*"

# CreateTrainingJob's limits
_MOST_HYPERPARAMETERS = 100
_LONGEST_NAME = 256
_LONGEST_VALUE = 2500
_LONGEST_RUN = Duration.days(28)
_MOST_CHANNELS = 20
_KEEP_ALIVE = (Duration.seconds(1), Duration.hours(6))

_MAX_RUNTIME = readable(Duration.hours(4))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob(ReleaseStage):
    """Trains a model once, on one machine.

    Args:
        image: trains the model, as a `ModelImage`.
        instance_type: `ml.m5.xlarge`; `m5.xlarge` means the same. Default: `ml.m5.xlarge`.
        volume_gib: disk of the machine, 1 to 16,384 GiB. Default: 30.
        max_runtime: time limit, after which the job is stopped and fails, 1 minute to 28 days of running. Default: 4
            hours.
        hyperparameters: at most 100 values, which reach the training program as texts: a text as it is, anything else
            as JSON (`5`, `true`, `["auc", "logloss"]`), null too. If a program needs another text for a value, such as
            `True` or a text in quotes, give that text. Default: none.
        network_isolation: the program reaches nothing but its channels and gets no credentials: SageMaker alone writes,
            and only to the job's own folder. Without it, the program reaches the internet and may write whatever the
            training role may: every run's `trained/` folder (and `checkpoints/` with `checkpoints`). Default: on.
        data_channels: how the program gets the two sides of the data, by its names for them. Default: `train` and
            `test`, without a content type.
        channels: further input channels, as a pretrained model: 20 channels at most in all. Default: none.
        spot_max_wait: uses Spot instances, which are cheaper and may be interrupted: waiting for one and running may
            take this long together, at least `max_runtime`. Default: an on-demand instance.
        checkpoints: files in `/opt/ml/checkpoints` are copied to S3 while the program runs, and restored when an
            interrupted instance is replaced. Default: on with `spot_max_wait`.
        keep_alive: the instance waits this long for the next training job, and is billed for it, 1 second to 6 hours.
            It needs a quota for warm pools. Default: it is released at once.
        vpc: where the machine is. Default: in SageMaker's own network.

    Raises:
        InvalidArgumentError: a value that SageMaker would refuse, a `max_runtime` or `spot_max_wait` that is known at
            deployment only, or values that exclude each other.

    Example:
        ```python
        training = TrainingJob(
            image=model_image,
            instance_type="ml.m5.2xlarge",
            max_runtime=cdk.Duration.hours(2),
            spot_max_wait=cdk.Duration.hours(6),
            hyperparameters={"recipe": "linear", "seed": 7, "learning_rate": 2e-05, "balanced": True},
        )
        ```
    """

    slots: ClassVar[tuple[str, ...]] = ("train",)

    image: ModelImage
    instance_type: str = "ml.m5.xlarge"
    volume_gib: int = 30
    max_runtime: Duration = _MAX_RUNTIME
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    network_isolation: bool = True
    data_channels: Mapping[str, DataChannel] = field(
        default_factory=lambda: {side: DataChannel(side=side) for side in SIDES}
    )
    channels: Sequence[InputChannel] = ()
    spot_max_wait: Duration | None = None
    checkpoints: bool | None = None
    keep_alive: Duration | None = None
    vpc: VpcPlacement | None = None

    def __post_init__(self) -> None:
        check_model_image("image", self.image)
        object.__setattr__(self, "instance_type", normalised_instance_type(self.instance_type))
        check_volume(self.volume_gib)
        check_max_runtime(self.max_runtime, at_most=_LONGEST_RUN)
        check_flags(network_isolation=self.network_isolation)
        self._check_channels()
        self._check_machines()
        if self.checkpoints is None:
            object.__setattr__(self, "checkpoints", self.spot_max_wait is not None)
        check_kind("checkpoints", self.checkpoints, bool, "True, False or None")
        if self.vpc is not None:
            check_placement(self.vpc)
        object.__setattr__(self, "hyperparameters", MappingProxyType(_texts(self.hyperparameters)))

    @property
    def longest(self) -> Duration:
        """How long a job may take, including the wait for a Spot instance."""
        return self.spot_max_wait or self.max_runtime

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Trains with the posts and further channels, and writes the model's archive below the run."""
        role = release.job_role(TRAINING_ROLE, "TrainingJobs", vpc=self.vpc)
        bucket = release.data_bucket
        allow_reading(role, bucket, "runs/*", *(f"{channel.prefix}*" for channel in self.channels))
        # No model is served from these folders. A role cannot name the run of its job; the job's request does, and the
        # program of an isolated job has no credentials.
        allow_writing(role, bucket, _TRAINED, *([_CHECKPOINTS] if self.checkpoints else []))
        release.keeps_models_of(_TRAINED)
        for channel in self.channels:
            release.needs(channel.prefix, remedy=channel.remedy)
        if self.checkpoints:
            # A file that the program deletes on the instance is deleted from the copy too.
            allow(
                role,
                ["s3:DeleteObject"],
                bucket.arn_for_objects(_CHECKPOINTS),
                wildcard_reason=OBJECTS_OF_LATER,
            )
        allow_bucket_key(role, bucket, "kms:Encrypt")
        train = release.job(
            "Training",
            self._request(
                release, image_uri=self.image.bind(release.scope, "TrainingImage", puller=role), role_arn=role.role_arn
            ),
            role=role,
            longest=self.longest,
            within=self.longest.plus(AROUND_A_JOB),
            assign={"model_data": "{% $states.result.ModelArtifacts.S3ModelArtifacts %}"},
        )
        train.next(then)
        return train

    def _request(self, release: ReleaseBinding, *, image_uri: str, role_arn: str) -> Request:
        resources: Request = {
            "InstanceType": self.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": self.volume_gib,
            **volume_key(self.instance_type, release.encryption_key.key_arn),
        }
        if self.keep_alive is not None:
            resources["KeepAlivePeriodInSeconds"] = self.keep_alive.to_seconds()
        stopping: Request = {"MaxRuntimeInSeconds": self.max_runtime.to_seconds()}
        bucket = release.data_bucket.bucket_name
        channels = [
            *(
                _channel(name, f"{{% $posts.{channel.side}.uri %}}", channel.content_type)
                for name, channel in self.data_channels.items()
            ),
            *(
                _channel(channel.name, f"s3://{bucket}/{channel.prefix}", channel.content_type)
                for channel in self.channels
            ),
        ]
        request: Request = {
            "TrainingJobName": "{% $release %}",
            "RoleArn": role_arn,
            "AlgorithmSpecification": {"TrainingImage": image_uri, "TrainingInputMode": "File"},
            "HyperParameters": dict(self.hyperparameters),
            "InputDataConfig": channels,
            "OutputDataConfig": {
                "S3OutputPath": f"{{% {release.run_uri(_TRAINED_FOLDER)} %}}",
                **output_key(release.output_key_id),
            },
            "ResourceConfig": resources,
            "StoppingCondition": stopping,
            "EnableNetworkIsolation": self.network_isolation,
            **vpc_config(self.vpc),
        }
        if self.spot_max_wait is not None:
            request["EnableManagedSpotTraining"] = True
            stopping["MaxWaitTimeInSeconds"] = self.spot_max_wait.to_seconds()
        if self.checkpoints:
            request["CheckpointConfig"] = {"S3Uri": f"{{% {release.run_uri('checkpoints/')} %}}"}
        return request

    def _check_channels(self) -> None:
        check_kind("data_channels", self.data_channels, Mapping, "a mapping of names to DataChannel")
        if not self.data_channels:
            raise refusal("data_channels", plain("no channel"), "at least one", "leave it out for train and test")
        for name, channel in self.data_channels.items():
            check_channel_name("data_channels", name)
            check_kind(f"data_channels[{name!r}]", channel, DataChannel, remedy="give DataChannel(side=…)")
        object.__setattr__(self, "data_channels", MappingProxyType(dict(self.data_channels)))
        channels = check_sequence("channels", self.channels, "a list of InputChannel")
        for channel in channels:
            check_kind("channels", channel, InputChannel, "a list of InputChannel")
        names = [*self.data_channels, *(channel.name for channel in channels)]
        if len(names) > _MOST_CHANNELS:
            most = _MOST_CHANNELS - len(self.data_channels)
            raise refusal("channels", plain(f"{len(channels)} channels"), f"at most {most}")
        for name in names:
            if names.count(name) > 1:
                raise refusal("channels", name, "channels of different names", "give one of them another name")
        object.__setattr__(self, "channels", channels)

    def _check_machines(self) -> None:
        wait, keep = self.spot_max_wait, self.keep_alive
        if wait is not None:
            check_duration(
                "spot_max_wait",
                wait,
                at_least=self.max_runtime,
                whole="seconds",
                token=False,
                remedy="it includes the running, for which max_runtime stands",
            )
        if keep is None:
            return
        if wait is not None:
            raise refusal(
                "keep_alive", keep, "none beside spot_max_wait", "SageMaker keeps no spot machines; leave one out"
            )
        least, most = _KEEP_ALIVE
        check_duration("keep_alive", keep, at_least=least, at_most=most, whole="seconds")


def _channel(name: str, uri: str, content_type: str | None) -> Request:
    return {
        "ChannelName": name,
        **({} if content_type is None else {"ContentType": content_type}),
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def _texts(hyperparameters: Mapping[str, Any]) -> dict[str, str]:
    check_kind("hyperparameters", hyperparameters, Mapping, "a mapping of names to values")
    if len(hyperparameters) > _MOST_HYPERPARAMETERS:
        raise refusal("hyperparameters", plain(f"{len(hyperparameters)} entries"), f"at most {_MOST_HYPERPARAMETERS}")
    for name in hyperparameters:
        if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME:
            raise refusal("hyperparameters", name, f"names of 1 to {_LONGEST_NAME} characters")
    return {name: _text(name, value) for name, value in hyperparameters.items()}


def _text(name: str, value: object) -> str:
    shown = f"hyperparameters[{name!r}]"
    if not isinstance(value, bool) and isinstance(value, int | float) and is_token(value):
        return Tokenization.stringify_number(value)
    if _holds_token(value):
        raise refusal(shown, value, "numbers that are known at synthesis", "put it beside the others")
    try:
        text = value if isinstance(value, str) else json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise refusal(shown, value, "text, or what JSON has a form of: no NaN, no other object") from None
    if len(text) > _LONGEST_VALUE:
        raise refusal(shown, plain(f"{len(text)} characters"), f"at most {_LONGEST_VALUE}")
    return text


def _holds_token(value: object) -> bool:
    """Whether it contains a number that is known at deployment only; JSON would write another number for it."""
    match value:
        case dict():
            return any(map(_holds_token, value.values()))
        case list() | tuple():
            return any(map(_holds_token, value))
        case int() | float():
            return not isinstance(value, bool) and is_token(value)
    return False
