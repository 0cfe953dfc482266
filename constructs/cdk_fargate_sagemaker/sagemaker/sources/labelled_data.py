"""Labelled posts in the data bucket."""

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from aws_cdk import aws_stepfunctions as sfn

from ..stages._data_access import check_prefix
from ..stages.release_binding import ReleaseBinding
from ..stages.release_stage import ReleaseStage
from ._extraction import extracted
from .review_decisions import ReviewDecisions, check_reviews


@dataclass(frozen=True, slots=True)
class LabelledData(ReleaseStage):
    """Takes the labelled posts that are below a prefix of the workflow's `data_bucket` when a release begins.

    They are objects `*.csv` with a header, or `*.jsonl`, with `text` and `label` (0 or 1). Some posts are held out for
    tests. A secret decides at random which ones, and the choice is recorded below `sides/`: a post keeps its side
    permanently.

    Args:
        prefix: their prefix in the bucket. It ends with a slash and is not below `runs/`, `models/` or `sides/`.
            Default: `posts/`.
        reviews: reviewers' decisions that are merged with the posts. Default: none.

    Raises:
        InvalidArgumentError: an invalid prefix, or reviews of another kind.

    Example:
        ```python
        posts = LabelledData("labelled/")
        ```
    """

    slots: ClassVar[tuple[str, ...]] = ("source",)

    prefix: str = "posts/"
    _: KW_ONLY
    reviews: ReviewDecisions | None = None

    def __post_init__(self) -> None:
        check_reviews(self.reviews)
        check_prefix(self.prefix)

    def bind(self, release: ReleaseBinding, then: sfn.IChainable) -> sfn.IChainable:
        """Extracts both sides from the posts."""
        return extracted(
            release, then, posts=f"{self.prefix}*", payload={"posts_prefix": self.prefix}, reviews=self.reviews
        )
