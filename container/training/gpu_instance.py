"""Whether the job's machine has a GPU, which is paid for whether it is used or not."""

from __future__ import annotations

import re

_GPU_FAMILIES = re.compile(r"ml\.[gp]\d")
"""SageMaker's types with NVIDIA's GPUs: `ml.g5.xlarge`, `ml.p4d.24xlarge`."""


def has_gpu(instance_type: str | None) -> bool:
    """False where the type is not known."""
    return instance_type is not None and _GPU_FAMILIES.match(instance_type) is not None
