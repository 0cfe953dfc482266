"""A world that knows what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdk_rehearsal.permissions.needs.world import DescribedKind, NamedKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedWorld:
    """Look-ups in dictionaries."""

    account: str = "123456789012"
    region: str = "eu-west-1"
    partition: str = "aws"
    keys: Mapping[str, str] = field(default_factory=dict)  # of a resource's ARN
    arns: Mapping[tuple[NamedKind, str], str] = field(default_factory=dict)
    descriptions: Mapping[tuple[DescribedKind, str], Mapping[str, Any]] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def key_of(self, resource_arn: str) -> str | None:
        return self.keys.get(resource_arn)

    def arn_of(self, kind: NamedKind, name: str) -> str | None:
        return self.arns.get((kind, name))

    def described(self, kind: DescribedKind, name: str) -> Mapping[str, Any] | None:
        return self.descriptions.get((kind, name)) or self.descriptions.get((kind, name.rpartition("/")[2]))

    def owner_of(self, resource_arn: str) -> str | None:
        return self.owners.get(resource_arn)

    def tags_of(self, resource_arn: str) -> Mapping[str, str]:
        return self.tags.get(resource_arn, {})
