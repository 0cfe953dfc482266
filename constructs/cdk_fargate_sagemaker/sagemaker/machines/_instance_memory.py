"""How much memory and how many cores an endpoint's instances have."""

import re
from typing import Final, NamedTuple

# GiB per vCPU by family, as EC2's instance types of the same names have them.
_GIB_A_VCPU: Final = {
    **dict.fromkeys(("c5", "c5d", "c6i", "c6id", "c7i", "c6g", "c6gd", "c6gn", "c7g"), 2),
    **dict.fromkeys(("m4", "m5", "m5d", "m6i", "m6id", "m7i", "m6g", "m6gd"), 4),
    **dict.fromkeys(("r5", "r5d", "r6i", "r6id", "r7i", "r6g", "r6gd"), 8),
    **dict.fromkeys(("g4dn", "g5", "g6"), 4),
}
# The vCPUs and GiB of burstable types: their ratio depends on the size.
_BURSTABLE: Final = {"medium": (2, 4), "large": (2, 8), "xlarge": (4, 16), "2xlarge": (8, 32)}
_TYPE: Final = re.compile(r"ml\.(?P<family>[a-z0-9]+)\.(?P<size>medium|large|(?P<times>\d*)xlarge)")


class InstanceSize(NamedTuple):
    """The number of vCPUs, and the memory in MiB."""

    vcpus: int
    mib: int


def instance_size(instance_type: str) -> InstanceSize | None:
    """Returns the size of a type; None if the table does not have it, or it is known only at deployment."""
    found = _TYPE.fullmatch(instance_type)
    if found is None:
        return None
    if found["family"] == "t2":
        vcpus, gib = _BURSTABLE.get(found["size"], (0, 0))
        return InstanceSize(vcpus, 1024 * gib) if vcpus else None
    ratio = _GIB_A_VCPU.get(found["family"])
    if ratio is None or found["size"] == "medium":
        return None
    vcpus = 2 if found["size"] == "large" else 4 * int(found["times"] or 1)
    return InstanceSize(vcpus, 1024 * ratio * vcpus)
