"""The signing name in a request's signature, by which AWS routes and authorizes requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")


def signed_service(headers: Mapping[str, str], query: str) -> str | None:
    """The service of the credential scope, in the header or in a presigned URL; None if unsigned."""
    if found := _CREDENTIAL.search(headers.get("authorization", "")):
        return _service(found[1])
    if "X-Amz-Credential=" in query:
        return _service(parse_qs(query).get("X-Amz-Credential", [""])[0])
    # Signature version 2, which botocore uses only for presigned URLs of S3.
    if headers.get("authorization", "").startswith("AWS ") or "AWSAccessKeyId=" in query:
        return "s3"
    return None


def _service(credential: str) -> str | None:
    scope = credential.rsplit("/", 4)
    return scope[3] if len(scope) == 5 and scope[4] == "aws4_request" else None
