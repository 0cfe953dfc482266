"""S3's virtual hosting: the bucket's name as part of the host name."""

from __future__ import annotations

import re

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html; and <bucket>.localhost, which the SDKs
# make of an endpoint http://localhost.
_VIRTUAL_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.(?:s3[.-].+|(?:[a-z0-9-]+\.)*localhost(?:\..+)?)"
)


def bucket_of_host(host: str) -> str | None:
    """The bucket, or None if the path begins with it (or the request has no bucket)."""
    name = host.strip().lower()
    if ":" in name and not name.startswith("["):
        name = name.rpartition(":")[0]
    found = _VIRTUAL_HOST.fullmatch(name)
    if not found or found["bucket"].startswith("s3-") or found["bucket"] == "s3" or found["bucket"].startswith("s3."):
        return None
    return found["bucket"]
