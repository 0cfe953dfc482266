"""How a model is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from aws_cdk import Duration, Tokenization

from ..._checks import check_duration, check_kind, check_sequence, plain, refusal
from ..._number_token import is_token
from ..machines._instance_type import normalised_instance_type
from ..machines._interfaces import check_placement
from ..machines._job_limits import check_max_runtime, check_volume
from ..machines.vpc_placement import VpcPlacement
from .input_channel import InputChannel

# CreateTrainingJob's limits
_MOST_HYPERPARAMETERS = 100
_LONGEST_NAME = 256
_LONGEST_VALUE = 2500
_LONGEST_RUN = Duration.days(28)
# Of 20, two are the posts'.
_MOST_CHANNELS = 18
_KEEP_ALIVE = (Duration.seconds(1), Duration.hours(6))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """Trains a model once, on one machine.

    Args:
        instance_type: `ml.m5.xlarge`; `m5.xlarge` means the same.
        volume_gib: disk of the machine, 1 to 16,384 GiB.
        max_runtime: when it is stopped as failed, 1 minute to 28 days of running. Default: 4 hours.
        hyperparameters: at most 100 texts and numbers, which reach the training program as texts. What is neither is
            refused, since programs differ in what they read: the containers of SageMaker's framework estimators take
            JSON (`true`), its own algorithms each a text of its own (`True`, `1`). Give the text that the program
            reads, as `json.dumps(value)`. Default: none.
        network_isolation: the program reaches nothing but its channels and gets no credentials: SageMaker alone writes,
            and only to the job's own folder. Without it, the program reaches the internet and may write whatever the
            training role may: every run's `trained/` folder (and `checkpoints/` with `checkpoints`).
        channels: what the program is given beside the posts, at most 18, as a pretrained model. Default: nothing.
        spot_max_wait: takes spare machines, which are cheaper and may be taken away: waiting for one and running may
            take this long together, at least `max_runtime`. Default: an ordinary machine.
        checkpoints: whatever the program keeps in `/opt/ml/checkpoints` is copied to S3 while it runs, and is there
            again when a machine that was taken away is replaced. Default: with `spot_max_wait`.
        keep_alive: the machine waits this long for the next training, and is billed for it, 1 second to 6 hours. It
            needs a quota for warm pools. Default: it goes at once.
        vpc: where the machine is. Default: in SageMaker's own network.

    Raises:
        InvalidArgumentError: a value that SageMaker would refuse, a `max_runtime` or `spot_max_wait` that is known at
            deployment only, or values that exclude each other.

    Example:
        ```python
        training = TrainingJob(
            instance_type="ml.m5.2xlarge",
            max_runtime=cdk.Duration.hours(2),
            spot_max_wait=cdk.Duration.hours(6),
            hyperparameters={"recipe": "linear", "seed": 7, "learning_rate": 2e-05, "balanced": "true"},
        )
        ```
    """

    instance_type: str = "ml.m5.xlarge"
    volume_gib: int = 30
    max_runtime: Duration = field(default_factory=lambda: Duration.hours(4))
    hyperparameters: Mapping[str, str | int | float] = field(default_factory=dict)
    network_isolation: bool = True
    channels: Sequence[InputChannel] = ()
    spot_max_wait: Duration | None = None
    checkpoints: bool | None = None
    keep_alive: Duration | None = None
    vpc: VpcPlacement | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "instance_type", normalised_instance_type(self.instance_type))
        check_volume(self.volume_gib)
        check_max_runtime(self.max_runtime, at_most=_LONGEST_RUN)
        check_kind("network_isolation", self.network_isolation, bool, "True or False")
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
        """How long a job may take, its waiting for a spare machine included."""
        return self.spot_max_wait or self.max_runtime

    def _check_channels(self) -> None:
        channels = check_sequence("channels", self.channels, "a list of InputChannel")
        for channel in channels:
            check_kind("channels", channel, InputChannel, "a list of InputChannel")
        names = [channel.name for channel in channels]
        if len(names) > _MOST_CHANNELS:
            raise refusal("channels", plain(f"{len(names)} channels"), f"at most {_MOST_CHANNELS}")
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


def _texts(hyperparameters: Mapping[str, str | int | float]) -> dict[str, str]:
    check_kind("hyperparameters", hyperparameters, Mapping, "a mapping of texts and numbers")
    if len(hyperparameters) > _MOST_HYPERPARAMETERS:
        raise refusal("hyperparameters", plain(f"{len(hyperparameters)} entries"), f"at most {_MOST_HYPERPARAMETERS}")
    for name in hyperparameters:
        if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME:
            raise refusal("hyperparameters", name, f"names of 1 to {_LONGEST_NAME} characters")
    return {name: _text(name, value) for name, value in hyperparameters.items()}


def _text(name: str, value: object) -> str:
    shown = f"hyperparameters[{name!r}]"
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value in (float("inf"), float("-inf")):
        raise refusal(shown, value, "text or a number", "give the text that the program reads, as json.dumps(…)")
    if not isinstance(value, str):
        if value != value:
            raise refusal(shown, value, "text or a number")
        return Tokenization.stringify_number(value) if is_token(value) else str(value)
    if len(value) > _LONGEST_VALUE:
        raise refusal(shown, plain(f"{len(value)} characters"), f"at most {_LONGEST_VALUE}")
    return value
