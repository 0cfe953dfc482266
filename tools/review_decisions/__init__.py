"""review-decisions: leaves a reviewer's decisions out of the next releases, and takes them back."""
