"""How the current model is asked about the held-out posts."""

from dataclasses import dataclass, field

from aws_cdk import Duration

from ..._checks import refusal
from ..machines._instance_type import is_burstable, normalised_instance_type
from ..machines._job_limits import check_max_runtime
from ..machines._machine_image import has_gpu, transform_ami


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformJob:
    """Asks the current model about the posts that the new one is judged on, one by one, on a machine of its own.

    Args:
        instance_type: `ml.m5.large`; `m5.large` means the same. It has to run the inference image: an image for GPUs
            a type with a GPU, one for CPUs a type without.
        max_runtime: when it is stopped, and the release with it, at least 1 minute. SageMaker itself stops no such job.
            Default: 2 hours.
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

    instance_type: str = "ml.m5.large"
    max_runtime: Duration = field(default_factory=lambda: Duration.hours(2))
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
        # How long the workflow may take is computed from it.
        check_max_runtime(self.max_runtime)
        object.__setattr__(self, "transform_ami", transform_ami(self.transform_ami, instance_type))
