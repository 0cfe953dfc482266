"""The decisions of reviewers, merged with labelled posts."""

from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_stepfunctions as sfn

from ..._checks import check_kind
from ..._readable_help import readable
from ..machines._job_limits import check_max_runtime
from ..stages.release_binding import ReleaseBinding
from ._table_export import check_exported_table, table_exported
from .review_limits import ReviewLimits

REVIEWS_FOLDER = "reviews/"

_MAX_RUNTIME = readable(Duration.hours(6))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDecisions:
    """Merges reviewers' decisions with the posts of a source.

    The latest label of a post replaces its earlier one, and new posts are added to the training posts. The test posts
    stay the same from release to release, whatever reviewers decide. Half of them keep their labels permanently; the
    others' labels change where two reviewers agree. The release's record says how many labels were new.

    Args:
        table: a `ReviewQueue`'s, with point-in-time recovery; an export takes nothing from its capacity.
        limits: the limits above which a release is refused. Default: `ReviewLimits()`.
        max_runtime: time limit of an export, after which the release fails, at least 1 minute. Default: 6 hours.

    Raises:
        InvalidArgumentError: no table, limits of another kind, or a time that is too short or known at deployment only.

    Example:
        ```python
        posts = LabelledData("posts/", reviews=ReviewDecisions(table=reviews.table))
        ```
    """

    table: dynamodb.ITable
    limits: ReviewLimits = field(default_factory=ReviewLimits)
    max_runtime: Duration = _MAX_RUNTIME

    def __post_init__(self) -> None:
        check_exported_table(self.table)
        check_kind("limits", self.limits, ReviewLimits)
        check_max_runtime(self.max_runtime)

    def exported(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Makes the states that export the decisions into the run's folder, followed by `then`.

        Args:
            release: the workflow of the source.
            then: the states that read them.
        """
        return table_exported(
            release,
            then,
            table=self.table,
            folder=REVIEWS_FOLDER,
            max_runtime=self.max_runtime,
            named="Reviews-",
        )


def check_reviews(reviews: Any) -> None:
    """Refuses a value that is neither `ReviewDecisions` nor None.

    Raises:
        InvalidArgumentError: see above.
    """
    if reviews is not None:
        table = hasattr(reviews, "table_arn") or hasattr(reviews, "table")
        check_kind(
            "reviews",
            reviews,
            ReviewDecisions,
            "ReviewDecisions or None",
            "give reviews=ReviewDecisions(table=…)" if table else None,
        )
