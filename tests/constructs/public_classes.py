"""The public classes of the library, as tests of docstrings and signatures go over them."""

import inspect
from collections.abc import Iterator

from cdk_fargate_sagemaker import fargate, monitoring, notifications, review, sagemaker, tuning

AREAS = (fargate, monitoring, notifications, review, sagemaker, tuning)


def public_classes() -> Iterator[tuple[str, type]]:
    """Each with the name that users import."""
    for area in AREAS:
        for name in area.__all__:
            if inspect.isclass(getattr(area, name)):
                yield name, getattr(area, name)
