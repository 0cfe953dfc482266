"""The table of posts for reviewers, and the rule that selects its posts."""
