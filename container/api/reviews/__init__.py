"""The table of posts for reviewers, and which posts it gets."""
