"""What can be said of a model by what reviewers decided: pure functions of the standard library alone."""

from .agreement import cohens_kappa
from .estimates import Estimate, ReviewEstimates, wilson_interval
from .review_tally import ReviewTally
from .reviewed_post import VERDICTS, ReviewedPost

__all__ = [
    "VERDICTS",
    "Estimate",
    "ReviewEstimates",
    "ReviewTally",
    "ReviewedPost",
    "cohens_kappa",
    "wilson_interval",
]
