"""Posts that a DynamoDB table holds."""

from dataclasses import dataclass
from typing import ClassVar

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_stepfunctions as sfn

from ..._readable_help import readable
from ..machines._job_limits import check_max_runtime
from ..stages.release_binding import ReleaseBinding
from ..stages.release_stage import ReleaseStage
from ._extraction import extracted
from ._table_export import check_exported_table, table_exported
from .review_decisions import ReviewDecisions, check_reviews

_FOLDER = "export/"

_MAX_RUNTIME = readable(Duration.hours(6))


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoDbExport(ReleaseStage):
    """Takes all items that `table` has when a release begins, with an export to S3.

    Each item is a post with `text` (a string) and `label` (a number, 0 or 1, or a boolean). The table needs
    point-in-time recovery; an export takes nothing from its capacity.

    Args:
        table: where the posts are.
        max_runtime: time limit of an export, after which the release fails, at least 1 minute. Default: 6 hours.
        reviews: reviewers' decisions that are merged with the posts. Default: none.

    Raises:
        InvalidArgumentError: no table, a time that is too short or known at deployment only, or reviews of another
            kind.

    Example:
        ```python
        posts = DynamoDbExport(table=table, max_runtime=cdk.Duration.hours(2))
        ```
    """

    slots: ClassVar[tuple[str, ...]] = ("source",)

    table: dynamodb.ITable
    max_runtime: Duration = _MAX_RUNTIME
    reviews: ReviewDecisions | None = None

    def __post_init__(self) -> None:
        check_exported_table(self.table)
        check_max_runtime(self.max_runtime)
        check_reviews(self.reviews)

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Exports the table, then extracts both sides from its items."""
        payload = {"posts_prefix": f"{{% {release.run_prefix} & '{_FOLDER}' %}}", "format": "dynamodb_export"}
        extract = extracted(release, then, posts="runs/*", payload=payload, reviews=self.reviews)
        return table_exported(release, extract, table=self.table, folder=_FOLDER, max_runtime=self.max_runtime)
