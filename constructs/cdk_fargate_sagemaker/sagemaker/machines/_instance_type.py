import re

from aws_cdk import Token

from ..._checks import check_kind, refusal

INSTANCE_TYPE = r"ml\.[a-z][a-z0-9-]*\.(medium|large|[0-9]*xlarge)"
"""A regular expression for SageMaker's instance types. The family is between the dots."""

_FORM = re.compile(INSTANCE_TYPE)

# The letter d after the generation means local NVMe disks. The families listed after it have them too.
_LOCAL_DISKS = re.compile(r"[a-z]+\d+[a-z]*d[a-z]*|g5|g6|g6e|p5|p5e|p5en|trn1|trn1n|trn2")

_BURSTABLE = "ml.t"


def normalised_instance_type(instance_type: str) -> str:
    """Returns SageMaker's name of an instance type: `ml.m5.large`, for `m5.large` too.

    Raises:
        InvalidArgumentError: a value that is not an instance type.
    """
    allowed = "a SageMaker instance type such as 'ml.m5.large'"
    # An `ec2.InstanceType` is refused too, and the remedy says what to give instead.
    check_kind("instance_type", instance_type, str, allowed, "give its name as text")
    if Token.is_unresolved(instance_type):
        return instance_type
    name = instance_type if instance_type.startswith("ml.") else f"ml.{instance_type}"
    if not _FORM.fullmatch(name):
        raise refusal("instance_type", instance_type, allowed)
    return name


def has_local_disks(instance_type: str) -> bool:
    """Returns whether the type has local disks: its hardware encrypts them, and SageMaker refuses a volume key."""
    if not _FORM.fullmatch(instance_type):
        return False
    return _LOCAL_DISKS.fullmatch(instance_type.split(".")[1]) is not None


def is_burstable(instance_type: str) -> bool:
    """Returns whether the type is burstable: SageMaker neither scales such types nor runs transform jobs on them."""
    return instance_type.startswith(_BURSTABLE)
