"""How large an instance type is by its name, for types without a price."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Of an instance with accelerators the name says it: a GPU, an Inferentia or a Trainium.
ACCELERATED = re.compile(r"^(p|g|inf|trn|dl|vt)\d")
NAME = re.compile(r"^(?:(?:ml|db|cache)\.)?(?P<family>[a-z]+[0-9][a-z0-9-]*)\.(?P<size>[a-z0-9]+)(?:\.\w+)?$")
VCPUS = {"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSize:
    """Virtual CPUs as a name has them by convention, or None where it says nothing, and whether it has accelerators."""

    vcpus: float | None
    accelerated: bool


def size_of(name: str) -> InstanceSize:
    """Read an instance type such as `ml.m5.2xlarge`, `db.r6g.large` or `c7g.xlarge`."""
    match = NAME.match(name)
    if match is None:
        return InstanceSize(vcpus=None, accelerated=False)
    size = match["size"]
    multiple = re.fullmatch(r"(\d+)xlarge", size)
    vcpus = 4.0 * int(multiple[1]) if multiple else VCPUS.get(size)
    return InstanceSize(vcpus=vcpus, accelerated=bool(ACCELERATED.match(match["family"])))
