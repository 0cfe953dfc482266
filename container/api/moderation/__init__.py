"""Decides on posts, at once or later, and passes posts to reviewers. It knows nothing of HTTP."""
