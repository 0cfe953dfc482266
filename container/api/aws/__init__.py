"""Clients of the AWS services that this program calls, and the credentials that sign the requests."""
