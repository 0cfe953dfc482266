"""Posts for reviewers, who may review them, and what reviewers decided."""

from .cognito_identity import CognitoIdentity
from .i_review_queue import IReviewQueue
from .oidc_identity import OidcIdentity
from .review_queue import ReviewQueue
from .reviewer_access import ReviewerAccess
from .reviewer_sign_in import ReviewerSignIn

__all__ = ["CognitoIdentity", "IReviewQueue", "OidcIdentity", "ReviewQueue", "ReviewerAccess", "ReviewerSignIn"]
