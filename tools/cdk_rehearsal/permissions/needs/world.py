"""The state of an account on which the needs of a call depend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

# Kinds of resources whose ARN does not follow from the name. "athena:query" is the work group that runs the query.
NamedKind = Literal["athena:query", "cloudformation:stack", "kms:key", "secretsmanager:secret"]
# Kinds of resources that can be described: the result has the form of the service's Describe… or Get… response.
DescribedKind = Literal[
    "athena:work-group",
    "dynamodb:table",
    "ecs:task-definition",
    "lambda:function",
    "sagemaker:endpoint",
    "sagemaker:endpoint-config",
    "sagemaker:model",
]


class World(Protocol):
    """Look-ups in the state of an account. None means that the resource does not exist."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def partition(self) -> str: ...

    def key_of(self, resource_arn: str) -> str | None:
        """The ARN of the KMS key that encrypts a topic, queue, bucket, table, secret, parameter, log group or
        function's environment: a customer managed or AWS managed key; None for an AWS owned key.
        """

    def arn_of(self, kind: NamedKind, name: str) -> str | None: ...

    def described(self, kind: DescribedKind, name: str) -> Mapping[str, Any] | None:
        """
        Args:
            kind: the kind of resource.
            name: a name or an ARN; calls accept both.
        """

    def owner_of(self, resource_arn: str) -> str | None:
        """The account that owns a resource whose ARN has no account (buckets); None for this account."""

    def tags_of(self, resource_arn: str) -> Mapping[str, str]: ...
