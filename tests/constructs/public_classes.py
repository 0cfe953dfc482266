"""The public classes of the library, as tests of docstrings and signatures go over them."""

import inspect
from collections.abc import Iterator
from typing import Any

from cdk_fargate_sagemaker import fargate, monitoring, notifications, review, sagemaker, storage, tuning

AREAS = (fargate, monitoring, notifications, review, sagemaker, storage, tuning)


def public_classes() -> Iterator[tuple[str, type]]:
    """Each with the name that users import."""
    for area in AREAS:
        for name in area.__all__:
            if inspect.isclass(getattr(area, name)):
                yield name, getattr(area, name)


def own_attributes(kind: type) -> dict[str, Any]:
    """What a class of the library has by itself, and by bases of the library, not by the CDK's."""
    of_library = [base for base in kind.__mro__ if base.__module__.startswith("cdk_fargate_sagemaker")]
    return {name: value for base in reversed(of_library) for name, value in vars(base).items()}
