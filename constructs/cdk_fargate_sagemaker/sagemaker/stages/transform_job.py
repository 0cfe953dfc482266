"""How the current model scores the held-out posts."""

from dataclasses import dataclass
from typing import ClassVar

from aws_cdk import Annotations, Duration, Token
from aws_cdk import aws_stepfunctions as sfn

from ..._checks import refusal
from ..._readable_help import readable
from ..machines._instance_type import is_burstable, normalised_instance_type
from ..machines._job_limits import check_max_runtime
from ..machines._log_streams import allow_logs
from ..machines._machine_image import has_gpu, transform_ami
from ._job_requests import Request, output_key, volume_key
from .release_binding import ReleaseBinding
from .release_stage import ReleaseStage

_TEXTS = "runs/*/texts/*"
_SCORES = "runs/*/current/*"

_MAX_RUNTIME = readable(Duration.hours(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformJob(ReleaseStage):
    """Scores the held-out posts with the current model, one by one, on an instance of its own.

    Args:
        instance_type: `ml.m5.large`; `m5.large` means the same. It must be able to run the inference image: a type with
            a GPU for an image for GPUs, one without for an image for CPUs. Default: `ml.m5.large`.
        max_runtime: time limit, after which the job is stopped and the release fails, at least 1 minute.
            `CreateTransformJob` has no argument for one. Default: 2 hours.
        transform_ami: SageMaker's machine image, as `al2-ami-sagemaker-batch-gpu-535`, which comes with a driver of
            the GPU. Default: SageMaker's, which has the driver 470 on ml.g4dn and ml.g5, too old for CUDA 12: those
            get `al2-ami-sagemaker-batch-gpu-535`.

    Raises:
        InvalidArgumentError: a value that SageMaker would refuse, or a `max_runtime` that is known at deployment only.

    Example:
        ```python
        scoring = TransformJob(instance_type="ml.m6i.large", max_runtime=cdk.Duration.hours(4))
        ```
    """

    slots: ClassVar[tuple[str, ...]] = ("score_current",)

    instance_type: str = "ml.m5.large"
    max_runtime: Duration = _MAX_RUNTIME
    transform_ami: str | None = None

    @property
    def has_gpu(self) -> bool:
        """Whether its machine has a GPU, for an image for GPUs; False where the type is known at deployment only."""
        return has_gpu(self.instance_type)

    def __post_init__(self) -> None:
        instance_type = normalised_instance_type(self.instance_type)
        object.__setattr__(self, "instance_type", instance_type)
        if is_burstable(instance_type):
            raise refusal("instance_type", instance_type, "a type that is not burstable: SageMaker transforms on none")
        # The time limit of the workflow is computed from it.
        check_max_runtime(self.max_runtime)
        object.__setattr__(self, "transform_ami", transform_ami(self.transform_ami, instance_type))

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Scores with the model that serves, if there is one; `current_scores` is the URI of its scores."""
        self._warn_of_two_devices(release)
        # A transform job acts as the role of the model that it invokes.
        release.let_endpoint_read(_TEXTS)
        release.let_endpoint_write(_SCORES)
        allow_logs(release.endpoint_role, "TransformJobs", f"{release.endpoint_name}-*")
        folder = release.run_uri("current/")
        scoring = release.job(
            "Transform",
            self._request(release, output=f"{{% {folder} %}}"),
            role=release.endpoint_role,
            longest=self.max_runtime,
            within=self.max_runtime,
            assign={"current_scores": f"{{% {release.run_uri('current/posts.jsonl.out')} %}}"},
        )
        scoring.next(then)
        has_current = release.choice("Has-Current")
        has_current.when(
            sfn.Condition.jsonata("{% $type($current) = 'object' and $exists($posts.test.texts_uri) %}"), scoring
        )
        has_current.otherwise(then)
        return has_current

    def _request(self, release: ReleaseBinding, *, output: str) -> Request:
        """The request that lets a model score each line of the objects below the URI of the texts."""
        return {
            "TransformJobName": "{% $release %}",
            "ModelName": "{% $current.model %}",
            "BatchStrategy": "SingleRecord",
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "{% $posts.test.texts_uri %}"}},
                "ContentType": "application/json",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": output,
                "Accept": "application/json",
                "AssembleWith": "Line",
                **output_key(release.output_key_id),
            },
            "TransformResources": {
                "InstanceType": self.instance_type,
                "InstanceCount": 1,
                **volume_key(self.instance_type, release.encryption_key.key_arn),
                **({} if self.transform_ami is None else {"TransformAmiVersion": self.transform_ami}),
            },
        }

    def _warn_of_two_devices(self, release: ReleaseBinding) -> None:
        """Warns if one image must run on GPUs in one place and on CPUs in the other."""
        if Token.is_unresolved(self.instance_type):
            return
        for variant in release.configuration.all_variants:
            instance_type = variant.instance_type
            if instance_type is None or Token.is_unresolved(instance_type) or variant.has_gpu == self.has_gpu:
                continue
            Annotations.of(release.scope).add_warning_v2(
                "cdk-fargate-sagemaker:two-devices",
                f"score_current runs the inference image on {self.instance_type}, and variant {variant.name} on "
                f"{instance_type}: one of them has a GPU, the other has none, and few images run on both; give "
                "score_current=TransformJob(instance_type=…) a type of the same kind",
            )
            return
