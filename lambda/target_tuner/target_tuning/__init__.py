"""The tuner at work: what it sees in AWS, what it changes there, what it remembers and tells."""
