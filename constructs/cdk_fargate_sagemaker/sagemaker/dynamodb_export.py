"""Posts that a DynamoDB table holds."""

from dataclasses import dataclass, field

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoDbExport:
    """Takes all items of `table`, by an export to S3, as they are when a release begins.

    As `extract`, each item is a post with `text` (a string) and `label` (a number, 0 or 1, or a boolean); as `reviews`
    they are those of a `ReviewQueue`'s table. The table needs point-in-time recovery; an export takes nothing from its
    capacity.

    Args:
        table: where the posts, or the reviewers' decisions, are.
        max_runtime: when an export that goes on has failed the release. Default: 6 hours.
    """

    table: dynamodb.ITable
    max_runtime: Duration = field(default_factory=lambda: Duration.hours(6))

    def __post_init__(self) -> None:
        if not self.max_runtime.is_unresolved() and self.max_runtime.to_seconds() < 60:
            raise ValueError(f"max_runtime is {self.max_runtime.to_human_string()}: give at least 1 minute")
