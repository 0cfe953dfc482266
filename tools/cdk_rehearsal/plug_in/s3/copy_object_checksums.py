"""The checksum of copied objects: ministack computes it for PutObject, but not for CopyObject.

S3 computes the requested algorithm over the whole object or over each part:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html#AmazonS3-CopyObject-request-header-ChecksumAlgorithm
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.ministack_adapter import s3

_ASKED = "x-amz-checksum-algorithm"
_ASKED_OF_A_PUT = "x-amz-sdk-checksum-algorithm"


def install() -> None:
    s3.copy_object = _with_checksum(s3.copy_object)
    s3.upload_part_copy = _with_checksum_of_a_part(s3.upload_part_copy)


def _with_checksum(copy_object: Callable[..., Any]) -> Callable[..., Any]:
    def copy(bucket: str, key: str, headers: dict[str, str]) -> Any:
        if asked := headers.get(_ASKED):
            headers = {**headers, _ASKED_OF_A_PUT: asked}
        return copy_object(bucket, key, headers)

    return copy


def _with_checksum_of_a_part(upload_part_copy: Callable[..., Any]) -> Callable[..., Any]:
    def copy(bucket: str, key: str, query: dict[str, Any], headers: dict[str, str]) -> Any:
        answer = upload_part_copy(bucket, key, query, headers)
        upload = s3.multipart_uploads.get(s3.query_parameter(query, "uploadId"), {})
        algorithm = upload.get("checksum_algorithm")
        if answer[0] != 200 or not algorithm:
            return answer
        part = upload["parts"][int(s3.query_parameter(query, "partNumber", "1"))]
        checksum = s3.compute_checksum(algorithm, part["body"])
        part["checksums"] = {algorithm: checksum}
        status, told, body = answer
        name = f"Checksum{algorithm}"
        end = b"</CopyPartResult>"
        return status, told, body.replace(end, f"<{name}>{checksum}</{name}>".encode() + end)

    return copy
