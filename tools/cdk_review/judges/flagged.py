"""Creates flags of one resource, and its name for messages."""

from __future__ import annotations

from cdk_review.changes import Change
from cdk_review.flag import Flag


def what(change: Change) -> str:
    """A resource's name for messages: its type without `AWS::`, and its logical id."""
    return f"{change.type.removeprefix('AWS::').replace('::', ' ')} {change.logical_id}"


def flag(change: Change, kind: str, severity: str, sentence: str) -> Flag:
    """A flag of this resource."""
    return Flag(
        kind=kind,
        severity=severity,
        stack=change.stack,
        logical_id=change.logical_id,
        sentence=sentence,
        type=change.type,
    )
