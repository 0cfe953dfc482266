"""What becomes of posts: the decision on each, at once or later, and what reviewers get. Nothing of HTTP."""
