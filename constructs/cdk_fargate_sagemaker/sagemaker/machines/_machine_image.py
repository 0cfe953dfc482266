"""The machine images that SageMaker has for instances with accelerators, each with a driver of its own.

An image for CUDA 12, as `container/inference/Dockerfile.gpu` makes, needs a driver of 525 or later, and the types below
start with 470: https://docs.aws.amazon.com/sagemaker/latest/dg/inference-gpu-drivers.html and
https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html, both of November 2026.
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
"""Of `InferenceAmiVersion`: drivers 535, 535, 550 and 580, and that of Inferentia2 and Trainium."""

TRANSFORM_AMIS = ("al2-ami-sagemaker-batch-gpu-470", "al2-ami-sagemaker-batch-gpu-535")
"""Of `TransformAmiVersion`."""

# Driver 550 is for CUDA 12.4. With 580, for CUDA 13, AWS saw images for CUDA 12.8 and 12.9 that did not start:
# https://github.com/aws/deep-learning-containers/pull/6187
_INFERENCE_AMI_FOR_CUDA_12 = "al2-ami-sagemaker-inference-gpu-3-1"
_TRANSFORM_AMI_FOR_CUDA_12 = "al2-ami-sagemaker-batch-gpu-535"

_ENDPOINTS_WITH_470 = re.compile(r"ml\.(g4dn|g5|p4d|p4de)\..+")
_TRANSFORMS_WITH_470 = re.compile(r"ml\.(g4dn|g5)\..+")

_GPU = re.compile(r"ml\.[gp]\d.*")
_NEURON = re.compile(r"ml\.(inf2|trn\d).*")


def has_gpu(instance_type: str) -> bool:
    """Says whether the type has GPUs; False where it is known at deployment only."""
    return _GPU.fullmatch(instance_type) is not None


def inference_ami(given: str | None, instance_type: str) -> str | None:
    """Returns the machine image of a variant: what is given, else one for CUDA 12 where SageMaker's own is older.

    Raises:
        InvalidArgumentError: an image that SageMaker has not, or not for the type.
    """
    return _machine_image(
        "inference_ami", given, instance_type, INFERENCE_AMIS, _INFERENCE_AMI_FOR_CUDA_12, _ENDPOINTS_WITH_470
    )


def transform_ami(given: str | None, instance_type: str) -> str | None:
    """Returns the machine image of a transform, as `inference_ami` does.

    Raises:
        InvalidArgumentError: an image that SageMaker has not, or not for the type.
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
