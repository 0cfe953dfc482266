"""Calls that AWS authorizes as several actions: batches, transactions, copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

# One part of a call that AWS authorizes separately: an operation and its parameters.
Part = tuple[str, str, Mapping[str, Any]]


def parts_of(service: str, operation: str, parameters: Mapping[str, Any]) -> tuple[Part, ...]:
    """The parts of a call, or only the call itself."""
    split = _SPLIT.get((service, operation))
    return tuple(split(parameters)) if split else ((service, operation, parameters),)


def _transact_write(parameters: Mapping[str, Any]) -> Iterator[Part]:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html"""
    names = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
    for item in parameters.get("TransactItems", ()):
        for kind, request in item.items():
            if kind in names:
                yield "dynamodb", names[kind], request


def _transact_get(parameters: Mapping[str, Any]) -> Iterator[Part]:
    for item in parameters.get("TransactItems", ()):
        if "Get" in item:
            yield "dynamodb", "GetItem", item["Get"]


def _batch_get(parameters: Mapping[str, Any]) -> Iterator[Part]:
    for table, request in parameters.get("RequestItems", {}).items():
        yield "dynamodb", "BatchGetItem", {**request, "TableName": table}


def _batch_write(parameters: Mapping[str, Any]) -> Iterator[Part]:
    for table, requests in parameters.get("RequestItems", {}).items():
        keys = [each["DeleteRequest"]["Key"] for each in requests if "DeleteRequest" in each]
        yield "dynamodb", "BatchWriteItem", {"TableName": table, "Keys": keys}


def _copy_object(parameters: Mapping[str, Any]) -> Iterator[Part]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html, its permissions."""
    yield "s3", "GetObject", _copy_source(parameters.get("CopySource", ""))
    yield "s3", "PutObject", parameters
    if parameters.get("TaggingDirective") == "REPLACE" or "Tagging" in parameters:
        yield "s3", "PutObjectTagging", parameters


def _upload_part_copy(parameters: Mapping[str, Any]) -> Iterator[Part]:
    yield "s3", "GetObject", _copy_source(parameters.get("CopySource", ""))
    yield "s3", "PutObject", parameters


def _copy_source(source: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(source, Mapping):  # boto3's form of the parameter
        return source
    path, _, version = unquote(source).lstrip("/").partition("?versionId=")
    bucket, _, key = path.partition("/")
    return {"Bucket": bucket, "Key": key} | ({"VersionId": version} if version else {})


def _put_object(parameters: Mapping[str, Any]) -> Iterator[Part]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, its permissions."""
    yield "s3", "PutObject", parameters
    if parameters.get("ACL") or any(name.startswith("Grant") for name in parameters):
        yield "s3", "PutObjectAcl", parameters
    if parameters.get("Tagging"):
        yield "s3", "PutObjectTagging", parameters


def _delete_object(parameters: Mapping[str, Any]) -> Iterator[Part]:
    yield "s3", "DeleteObjectVersion" if parameters.get("VersionId") else "DeleteObject", parameters


def _delete_objects(parameters: Mapping[str, Any]) -> Iterator[Part]:
    for each in parameters.get("Delete", {}).get("Objects", ()):
        yield from _delete_object({"Bucket": parameters["Bucket"], **each})


def _get_object(parameters: Mapping[str, Any]) -> Iterator[Part]:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, its permissions."""
    yield "s3", "GetObjectVersion" if parameters.get("VersionId") else "GetObject", parameters


def _put_events(parameters: Mapping[str, Any]) -> Iterator[Part]:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html"""
    for entry in parameters.get("Entries", ()):
        yield "events", "PutEvents", {"EventBusName": "default", **entry}


def _re_encrypt(parameters: Mapping[str, Any]) -> Iterator[Part]:
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html, its permissions."""
    source = parameters.get("SourceKeyId")
    yield "kms", "ReEncryptFrom", {"KeyId": source} if source else {}
    yield "kms", "ReEncryptTo", {"KeyId": parameters.get("DestinationKeyId", "")}


_SPLIT: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], Iterator[Part]]] = MappingProxyType(
    {
        ("dynamodb", "BatchGetItem"): _batch_get,
        ("dynamodb", "BatchWriteItem"): _batch_write,
        ("dynamodb", "TransactGetItems"): _transact_get,
        ("dynamodb", "TransactWriteItems"): _transact_write,
        ("events", "PutEvents"): _put_events,
        ("kms", "ReEncrypt"): _re_encrypt,
        ("s3", "CopyObject"): _copy_object,
        ("s3", "CreateMultipartUpload"): _put_object,
        ("s3", "DeleteObject"): _delete_object,
        ("s3", "DeleteObjects"): _delete_objects,
        ("s3", "GetObject"): _get_object,
        ("s3", "HeadObject"): _get_object,
        ("s3", "PutObject"): _put_object,
        ("s3", "UploadPartCopy"): _upload_part_copy,
    }
)
