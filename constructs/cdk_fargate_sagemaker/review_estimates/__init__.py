"""Estimates of a model's quality from reviewers' decisions: pure functions that need only the standard library."""

from .agreement import cohens_kappa
from .burden import SPREAD, burden
from .estimates import Estimate, ReviewEstimates, wilson_interval
from .exact_bounds import lower_bound, upper_bound
from .review_tally import ReviewTally
from .reviewed_post import VERDICTS, ReviewedPost

__all__ = [
    "SPREAD",
    "VERDICTS",
    "Estimate",
    "ReviewEstimates",
    "ReviewTally",
    "ReviewedPost",
    "burden",
    "cohens_kappa",
    "lower_bound",
    "upper_bound",
    "wilson_interval",
]
