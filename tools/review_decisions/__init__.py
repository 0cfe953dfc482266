"""review-decisions: excludes a reviewer's decisions from the next releases, and includes them again."""
