"""Acknowledgements of cdk-nag's findings, in the format of the installed releases of the CDK and cdk-nag."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import aws_cdk
import jsii
from aws_cdk import AspectPriority, Aspects, CfnResource, IAspect
from constructs import IConstruct

from ._construct_tree import once

# The value of `Validations.ACKNOWLEDGED_RULES_METADATA_KEY`, which older releases of the CDK lack. cdk-nag 3 reads it.
_METADATA_KEY = "aws:cdk:acknowledged-rules"
_FINDING = re.compile(r"(?P<rule>[^\[]+)(?:\[(?P<finding>.*)\])?", re.DOTALL)


@dataclass(frozen=True)
class Acknowledgment:
    """The reason why a finding of cdk-nag needs no change.

    Args:
        id: the finding as cdk-nag 3 names it, e.g. `AwsSolutions-IAM5[Resource::*]`.
        reason: why no change is needed, for readers of the acknowledgement.
    """

    id: str
    reason: str


def acknowledge(scope: IConstruct, *acknowledgments: Acknowledgment) -> None:
    """Acknowledges findings of cdk-nag at `scope` and below it; changes no property and no logical id.

    cdk-nag 3 reads the construct's metadata. cdk-nag 2 reads the metadata of each resource in the template, which are
    written only where cdk-nag 2 is installed.
    """
    _record(scope, acknowledgments)
    if _installed_cdk_nag() == 2:
        # This aspect runs before cdk-nag's own aspect visits the resource.
        Aspects.of(scope).add(_Suppressions(acknowledgments), priority=AspectPriority.MUTATING)


def _record(scope: IConstruct, acknowledgments: Sequence[Acknowledgment]) -> None:
    if not hasattr(aws_cdk, "Validations"):
        _add_metadata(scope, acknowledgments)
        return
    # One call for all of them, and one for each that the CDK's first releases with Validations refuse: ids with `::`,
    # such as those of findings on a resource.
    refusable = [acknowledgment for acknowledgment in acknowledgments if "::" in acknowledgment.id]
    others = [acknowledgment for acknowledgment in acknowledgments if "::" not in acknowledgment.id]
    if others:
        _acknowledge_by_validations(scope, others)
    for acknowledgment in refusable:
        try:
            _acknowledge_by_validations(scope, [acknowledgment])
        except RuntimeError:
            _add_metadata(scope, [acknowledgment])


def _acknowledge_by_validations(scope: IConstruct, acknowledgments: Sequence[Acknowledgment]) -> None:
    _validations_of(scope).acknowledge(
        *(
            aws_cdk.Acknowledgment(id=acknowledgment.id, reason=acknowledgment.reason)
            for acknowledgment in acknowledgments
        )
    )


def _add_metadata(scope: IConstruct, acknowledgments: Sequence[Acknowledgment]) -> None:
    for acknowledgment in acknowledgments:
        scope.node.add_metadata(_METADATA_KEY, {acknowledgment.id: acknowledgment.reason})


@once
def _validations_of(scope: IConstruct) -> Any:
    return aws_cdk.Validations.of(scope)


@cache
def _installed_cdk_nag() -> int | None:
    """The major version of the cdk-nag that is installed beside this library."""
    try:
        return int(version("cdk-nag").partition(".")[0])
    except PackageNotFoundError:
        return None


@jsii.implements(IAspect)
class _Suppressions:
    """Writes acknowledgements into the metadata of resources, as `NagSuppressions` of cdk-nag 2 does."""

    def __init__(self, acknowledgments: tuple[Acknowledgment, ...]) -> None:
        self._rules = [_suppression(acknowledgment) for acknowledgment in acknowledgments]

    def visit(self, node: IConstruct) -> None:
        if isinstance(node, CfnResource):
            present = (node.get_metadata("cdk_nag") or {}).get("rules_to_suppress", [])
            rules = [*present, *(rule for rule in self._rules if rule not in present)]
            node.add_metadata("cdk_nag", {"rules_to_suppress": rules})


def _suppression(acknowledgment: Acknowledgment) -> dict[str, Any]:
    parts = _FINDING.fullmatch(acknowledgment.id)
    assert parts is not None
    suppression: dict[str, Any] = {"id": parts["rule"], "reason": acknowledgment.reason}
    return suppression | ({"applies_to": [parts["finding"]]} if parts["finding"] else {})
