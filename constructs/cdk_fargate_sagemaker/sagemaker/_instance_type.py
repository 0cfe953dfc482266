import re

from aws_cdk import Token

_FORM = re.compile(r"ml\.(?P<family>[a-z][a-z0-9-]*)\.(?:medium|large|\d*xlarge)")

# The letter d after the generation stands for NVMe disks of the instance's own; these have them without saying so.
_LOCAL_DISKS = re.compile(r"[a-z]+\d+[a-z]*d[a-z]*|g5|g6|g6e|p5|p5e|p5en|trn1|trn1n|trn2")


def normalised_instance_type(instance_type: str) -> str:
    """SageMaker's name of an instance type: `ml.m5.large`, for `m5.large` too. Raises ValueError for anything else."""
    if Token.is_unresolved(instance_type):
        return instance_type
    name = instance_type if instance_type.startswith("ml.") else f"ml.{instance_type}"
    if not _FORM.fullmatch(name):
        raise ValueError(f"instance_type is {instance_type!r}: give a SageMaker instance type such as 'ml.m5.large'")
    return name


def has_local_disks(instance_type: str) -> bool:
    """Whether the type brings disks of its own. Its hardware encrypts those, and SageMaker refuses a volume key."""
    form = _FORM.fullmatch(instance_type)
    return form is not None and _LOCAL_DISKS.fullmatch(form["family"]) is not None
