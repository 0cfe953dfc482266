"""Derives the size of an instance type from its name, for types without a price."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Families with accelerators: GPU, Inferentia or Trainium.
ACCELERATED = re.compile(r"^(p|g|inf|trn|dl|vt)\d")
NAME = re.compile(r"^(?:(?:ml|db|cache)\.)?(?P<family>[a-z]+[0-9][a-z0-9-]*)\.(?P<size>[a-z0-9]+)(?:\.\w+)?$")
VCPUS = {"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2}
MULTIPLE = re.compile(r"(\d*)xlarge")
# From the smallest: sizes below `large` have as many vCPUs, but less of each.
BELOW_XLARGE = ("nano", "micro", "small", "medium", "large")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSize:
    """The vCPUs that a name implies by convention, or None, and whether the type has accelerators."""

    vcpus: float | None
    accelerated: bool


def size_of(name: str) -> InstanceSize:
    """Read an instance type such as `ml.m5.2xlarge`, `db.r6g.large` or `c7g.xlarge`."""
    match = NAME.match(name)
    if match is None:
        return InstanceSize(vcpus=None, accelerated=False)
    size = match["size"]
    multiple = MULTIPLE.fullmatch(size)
    vcpus = 4.0 * int(multiple[1] or 1) if multiple else VCPUS.get(size)
    return InstanceSize(vcpus=vcpus, accelerated=bool(ACCELERATED.match(match["family"])))


def is_smaller(name: str, other: str) -> bool:
    """Whether an instance type is smaller than another of its family, in any generation."""
    one, two = NAME.match(name), NAME.match(other)
    if one is None or two is None or _line(one["family"]) != _line(two["family"]):
        return False
    first, second = _rank(one["size"]), _rank(two["size"])
    return first is not None and second is not None and first < second


def _line(family: str) -> str:
    """`m` of `m6gd`."""
    return family[: next(place for place, sign in enumerate(family) if sign.isdigit())]


def _rank(size: str) -> int | None:
    multiple = MULTIPLE.fullmatch(size)
    if multiple:
        return len(BELOW_XLARGE) + int(multiple[1] or 1)
    return BELOW_XLARGE.index(size) if size in BELOW_XLARGE else None
