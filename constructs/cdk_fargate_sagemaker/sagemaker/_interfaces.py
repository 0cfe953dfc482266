"""Checks of what several constructs take, with what to do about a name, an ARN or a likely other thing in its place."""

from typing import Any

from .._checks import check_interface, check_kind
from .model_image import ModelImage
from .vpc_placement import VpcPlacement


def check_bucket(name: str, bucket: Any) -> None:
    """Refuses what is no bucket.

    Raises:
        InvalidArgumentError: see above.
    """
    check_interface(name, bucket, "bucket_arn", "an IBucket", "import a bucket with Bucket.from_bucket_name(…)")


def check_key(name: str, key: Any) -> None:
    """Refuses what is no key of KMS.

    Raises:
        InvalidArgumentError: see above.
    """
    check_interface(name, key, "key_arn", "an IKey", "import a key with Key.from_key_arn(…)")


def check_topic(name: str, topic: Any) -> None:
    """Refuses what is no topic.

    Raises:
        InvalidArgumentError: see above.
    """
    check_interface(name, topic, "topic_arn", "an ITopic", "import a topic with Topic.from_topic_arn(…)")


def check_model_image(name: str, image: Any) -> None:
    """Refuses what is no image that SageMaker runs, as an image of ECS.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "make one with ModelImage.from_asset(…) or ModelImage.from_ecr_repository(…)"
    check_kind(name, image, ModelImage, remedy=remedy)


def check_placement(vpc: Any) -> None:
    """Refuses what does not place a container in a VPC, as a VPC.

    Raises:
        InvalidArgumentError: see above.
    """
    check_kind("vpc", vpc, VpcPlacement, remedy="give VpcPlacement(vpc=…, security_groups=[…])")
