"""What the needs of a call depend on beyond the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

# What has an ARN that its name alone does not give, "athena:query" stands for the work group that runs it.
NamedKind = Literal["athena:query", "cloudformation:stack", "kms:key", "secretsmanager:secret"]
# What a look-up answers with, as the Describe… or Get… call of its service does.
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
    """Look-ups in the state of an account. None says that there is no such thing."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def partition(self) -> str: ...

    def key_of(self, resource_arn: str) -> str | None:
        """The ARN of the KMS key, the customer's or one that AWS manages in the account, that encrypts a topic, queue,
        bucket, table, secret, parameter, log group or function's environment; None for AWS's own keys."""

    def arn_of(self, kind: NamedKind, name: str) -> str | None: ...

    def described(self, kind: DescribedKind, name: str) -> Mapping[str, Any] | None:
        """
        Args:
            kind: what it is.
            name: a name or an ARN, as calls take both.
        """

    def owner_of(self, resource_arn: str) -> str | None:
        """The account of a resource whose ARN names none (buckets); None for this account."""

    def tags_of(self, resource_arn: str) -> Mapping[str, str]: ...
