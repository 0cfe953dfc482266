"""How much reviewers' decisions may change before a person looks at them."""

from dataclasses import dataclass

from ..._checks import check_number


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLimits:
    """The limits of what reviewers may change without another person's check: above them a release is refused.

    Args:
        max_changed_percent: percentage of the base data's labels that reviewers may change. Default: 10.
        min_changed: `max_changed_percent` applies from this many changes on, so that a small data set can be
            corrected. Default: 20.
        max_reviewer_percent: percentage of the reviewers' labels that one reviewer may have given: of all labels, and
            of those that are new since the release that serves. 100 for a team of one. Default: 60.
        min_labels: `max_reviewer_percent` applies from this many labels on, so that a small team can start. Default:
            100.

    Raises:
        InvalidArgumentError: a number that is not in its range, or is known at deployment only.

    Example:
        ```python
        limits = ReviewLimits(max_changed_percent=5, max_reviewer_percent=40)
        ```
    """

    max_changed_percent: float = 10
    min_changed: int = 20
    max_reviewer_percent: float = 60
    min_labels: int = 100

    def __post_init__(self) -> None:
        check_number("max_changed_percent", self.max_changed_percent, at_least=0, at_most=100, token=False)
        check_number("min_changed", self.min_changed, at_least=0, whole=True, token=False)
        check_number("max_reviewer_percent", self.max_reviewer_percent, at_least=0, at_most=100, token=False)
        check_number("min_labels", self.min_labels, at_least=0, whole=True, token=False)
