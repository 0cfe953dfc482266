"""Identifies a reviewer by the claims that the load balancer signs."""
