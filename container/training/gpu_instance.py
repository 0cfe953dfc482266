"""Whether the job's instance has a GPU, which costs money even if it is not used."""

from __future__ import annotations

import re

_GPU_FAMILIES = re.compile(r"ml\.[gp]\d")
"""SageMaker's instance types with NVIDIA GPUs, such as `ml.g5.xlarge` and `ml.p4d.24xlarge`."""


def has_gpu(instance_type: str | None) -> bool:
    """Return whether an instance type has a GPU; False if the type is unknown."""
    return instance_type is not None and _GPU_FAMILIES.match(instance_type) is not None
