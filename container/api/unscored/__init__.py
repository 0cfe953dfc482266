"""The queue of posts that wait to be scored, or to be stored for reviewers."""
