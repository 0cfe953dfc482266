"""The tuner's access to AWS: what it reads, what it changes, what it records and reports."""
