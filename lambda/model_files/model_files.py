"""The files that releases are made of: keeps the archive of a trained model, checks that a kept one is as it was, and
looks for what a training needs beside its posts.

A training job writes below the folder of its own run, from which nothing is served. After the gate, `keep` copies the
archive to `models/<release>/`, where no job may write. S3 computes the SHA-256 of the copy and keeps it with each
version of the object, so that `check` asks for it and reads no archive, however large.
"""

import base64
import functools
import json
import logging
import os
import posixpath
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

MODEL_ARCHIVE = "model.tar.gz"
OUTPUT_ARCHIVE = "output.tar.gz"
KEPT_FOLDER = "models/{release}/output"

GIB = 1 << 30
# CopyObject takes up to 5 GiB. What is larger is copied in parts, and its SHA-256 is that of the parts' SHA-256, with
# their number behind it: the same parts each time, or the same archive would get another one.
COPY = TransferConfig(multipart_threshold=5 * GIB, multipart_chunksize=GIB)
# Without what the source's metadata and tags say, which it takes further permissions to read.
COPIED_WITH = {"ChecksumAlgorithm": "SHA256", "MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}


class ArchiveMissingError(Exception):
    """An archive is not where it should be; the message says which and where."""


class ArchiveChangedError(Exception):
    """An archive is not the one that was recorded; the message says which, what it is and what to do."""


class InputMissingError(Exception):
    """What a training needs beside its posts is not there; the message says what to do."""


class UnknownOperationError(Exception):
    """The function was asked for something that it does not do."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Does `operation`, one of those below, with the event's other keys."""
    operations = {"keep": keep, "check": check, "find": find}
    operation = event.get("operation")
    if operation not in operations:
        raise UnknownOperationError(f"operation is {operation!r}: it must be one of {', '.join(operations)}")
    result = operations[operation](event)
    LOGGER.info("%s: %s", operation, json.dumps(result))
    return result


@functools.cache
def client() -> Any:
    """One client for as long as the execution environment lives: to make one takes longer than a call."""
    return boto3.client("s3")


def keep(event: dict[str, Any]) -> dict[str, Any]:
    """Copies the archive at `model_data`, and the job's output beside it, to the folder of `release`.

    Returns where the copy is (`model_data`) and its `sha256`. Called again, it copies again. Raises
    ArchiveMissingError, and ArchiveChangedError where something else lies there already.
    """
    release, source = event["release"], event["model_data"]
    folder = KEPT_FOLDER.format(release=release)
    kept = f"s3://{os.environ['DATA_BUCKET']}/{folder}/{MODEL_ARCHIVE}"
    if not _copy(source, kept):
        raise ArchiveMissingError(f"the trained archive {source} of release {release} is not there")
    # Of a model that was trained elsewhere there may be none.
    _copy(posixpath.join(posixpath.dirname(source), OUTPUT_ARCHIVE), f"{posixpath.dirname(kept)}/{OUTPUT_ARCHIVE}")
    sha256 = _sha256(kept)
    if sha256 is None:
        raise ArchiveChangedError(
            f"the archive {kept} of release {release} was replaced while it was copied: release again"
        )
    return {"model_data": kept, "sha256": sha256}


def check(event: dict[str, Any]) -> dict[str, Any]:
    """Refuses the archive at `model_data` unless it has the `sha256` that was recorded of `release`.

    Returns whether it was `checked`: a release that was recorded before hashes were has none to compare with. Raises
    ArchiveChangedError and ArchiveMissingError.
    """
    recorded = event.get("sha256")
    if recorded is None:
        return {"checked": False}
    release, uri = event["release"], event["model_data"]
    try:
        found = _sha256(uri)
    except ClientError as fault:
        if not _is_missing(fault):
            raise
        raise ArchiveMissingError(f"the archive {uri} of release {release} is gone: choose another release") from None
    if found != recorded:
        raise ArchiveChangedError(
            f"the archive {uri} of release {release} was changed: its SHA-256 is {found or 'not known to S3'}, "
            f"recorded is {recorded}: choose another release, and find out who wrote there"
        )
    return {"checked": True}


def find(event: dict[str, Any]) -> dict[str, Any]:
    """Refuses the first of `inputs` (`uri`, `remedy`) below whose URI nothing lies. Raises InputMissingError."""
    for wanted in event["inputs"]:
        bucket, prefix = _split(wanted["uri"])
        if not client().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount", 0):
            raise InputMissingError(f"there is no object below {wanted['uri']}: {wanted['remedy']}")
    return {"found": [wanted["uri"] for wanted in event["inputs"]]}


def _copy(source: str, to: str) -> bool:
    """Whether there was something to copy."""
    bucket, key = _split(to)
    from_bucket, from_key = _split(source)
    try:
        client().copy({"Bucket": from_bucket, "Key": from_key}, bucket, key, ExtraArgs=dict(COPIED_WITH), Config=COPY)
    except ClientError as fault:
        if not _is_missing(fault):
            raise
        return False
    return True


def _sha256(uri: str) -> str | None:
    """The SHA-256 that S3 keeps of an object, in hexadecimal as `sha256sum` prints it; None where it keeps none."""
    bucket, key = _split(uri)
    kept: str | None = client().head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED").get("ChecksumSHA256")
    if kept is None:
        return None
    digest, dash, parts = kept.partition("-")
    return base64.b64decode(digest).hex() + dash + parts


def _is_missing(fault: ClientError) -> bool:
    return fault.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound")


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
