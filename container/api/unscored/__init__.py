"""The queue of posts that were not scored in time, and what scores them later."""
