"""The tuner's access to AWS: what it reads, changes, records and reports."""
