"""Posts that a DynamoDB table holds."""

from dataclasses import dataclass, field

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb

from ..._checks import check_interface
from ..machines._job_limits import check_max_runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoDbExport:
    """Takes all items of `table`, by an export to S3, as they are when a release begins.

    As `extract`, each item is a post with `text` (a string) and `label` (a number, 0 or 1, or a boolean); as `reviews`
    they are those of a `ReviewQueue`'s table. The table needs point-in-time recovery; an export takes nothing from its
    capacity.

    Args:
        table: where the posts, or the reviewers' decisions, are.
        max_runtime: when an export that goes on has failed the release, at least 1 minute. Default: 6 hours.

    Raises:
        InvalidArgumentError: no table, or a time that is too short or known at deployment only.

    Example:
        ```python
        decisions = DynamoDbExport(table=reviews.table, max_runtime=cdk.Duration.hours(2))
        ```
    """

    table: dynamodb.ITable
    max_runtime: Duration = field(default_factory=lambda: Duration.hours(6))

    def __post_init__(self) -> None:
        remedy = "give its table" if hasattr(self.table, "table") else "import a table with Table.from_table_name(…)"
        check_interface("table", self.table, "table_arn", "an ITable", remedy)
        check_max_runtime(self.max_runtime)
