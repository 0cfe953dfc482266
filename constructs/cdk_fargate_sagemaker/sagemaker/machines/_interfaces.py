"""Checks of arguments that several SageMaker constructs have."""

from typing import Any

from ..._checks import check_kind
from .model_image import ModelImage
from .vpc_placement import VpcPlacement


def check_model_image(name: str, image: Any) -> None:
    """Refuses an argument that is not a `ModelImage`, such as a container image of ECS.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "make one with ModelImage.from_asset(…) or ModelImage.from_ecr_repository(…)"
    check_kind(name, image, ModelImage, remedy=remedy)


def check_placement(vpc: Any) -> None:
    """Refuses an argument that is not a `VpcPlacement`, such as a VPC.

    Raises:
        InvalidArgumentError: see above.
    """
    check_kind("vpc", vpc, VpcPlacement, remedy="give VpcPlacement(vpc=…, security_groups=[…])")
