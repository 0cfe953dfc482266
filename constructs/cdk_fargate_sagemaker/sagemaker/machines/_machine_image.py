"""SageMaker's machine images for instances with accelerators, each with its own driver version.

A container image for CUDA 12, such as that of `container/inference/Dockerfile.gpu`, needs driver 525 or later.
SageMaker's default for the instance types below is driver 470. Sources, in November 2026:
https://docs.aws.amazon.com/sagemaker/latest/dg/inference-gpu-drivers.html and
https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
"""

import re

from aws_cdk import Token

from ..._checks import check_one_of, plain, refusal

INFERENCE_AMIS = (
    "al2-ami-sagemaker-inference-gpu-2",
    "al2-ami-sagemaker-inference-gpu-2-1",
    "al2-ami-sagemaker-inference-gpu-3-1",
    "al2023-ami-sagemaker-inference-gpu-4-1",
    "al2-ami-sagemaker-inference-neuron-2",
)
"""The values of `InferenceAmiVersion`: GPU drivers 535, 535, 550 and 580, and the one for Inferentia2 and Trainium."""

TRANSFORM_AMIS = ("al2-ami-sagemaker-batch-gpu-470", "al2-ami-sagemaker-batch-gpu-535")
"""The values of `TransformAmiVersion`."""

# Driver 550 is for CUDA 12.4. With driver 580, for CUDA 13, AWS saw that images for CUDA 12.8 and 12.9 did not start:
# https://github.com/aws/deep-learning-containers/pull/6187
_INFERENCE_AMI_FOR_CUDA_12 = "al2-ami-sagemaker-inference-gpu-3-1"
_TRANSFORM_AMI_FOR_CUDA_12 = "al2-ami-sagemaker-batch-gpu-535"

_ENDPOINTS_WITH_470 = re.compile(r"ml\.(g4dn|g5|p4d|p4de)\..+")
_TRANSFORMS_WITH_470 = re.compile(r"ml\.(g4dn|g5)\..+")

_GPU = re.compile(r"ml\.[gp]\d.*")
_NEURON = re.compile(r"ml\.(inf2|trn\d).*")


def has_gpu(instance_type: str) -> bool:
    """Returns whether the type has GPUs; False if the type is known only at deployment."""
    return _GPU.fullmatch(instance_type) is not None


def inference_ami(given: str | None, instance_type: str) -> str | None:
    """Returns a variant's machine image: the given one, or one for CUDA 12 if SageMaker's default is too old for it.

    Raises:
        InvalidArgumentError: an image that SageMaker does not have, or does not have for the instance type.
    """
    return _machine_image(
        "inference_ami", given, instance_type, INFERENCE_AMIS, _INFERENCE_AMI_FOR_CUDA_12, _ENDPOINTS_WITH_470
    )


def transform_ami(given: str | None, instance_type: str) -> str | None:
    """Returns a transform job's machine image, by the same rule as `inference_ami`.

    Raises:
        InvalidArgumentError: an image that SageMaker does not have, or does not have for the instance type.
    """
    return _machine_image(
        "transform_ami", given, instance_type, TRANSFORM_AMIS, _TRANSFORM_AMI_FOR_CUDA_12, _TRANSFORMS_WITH_470
    )


def _machine_image(
    name: str,
    given: str | None,
    instance_type: str,
    known: tuple[str, ...],
    for_cuda_12: str,
    too_old: re.Pattern[str],
) -> str | None:
    if given is None:
        return for_cuda_12 if too_old.fullmatch(instance_type) else None
    check_one_of(name, given, known)
    if Token.is_unresolved(given) or Token.is_unresolved(instance_type):
        return given
    fitting = _NEURON if "neuron" in given else _GPU
    if not fitting.fullmatch(instance_type):
        raise refusal(
            name,
            plain(f"{given!r} for {instance_type}"),
            f"none, or one for the accelerator of {instance_type}",
            f"leave {name} out, or take another instance_type",
        )
    return given
