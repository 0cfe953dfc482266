"""Buckets that end with their stack."""

from .bucket_emptier import BucketEmptier

__all__ = ["BucketEmptier"]
