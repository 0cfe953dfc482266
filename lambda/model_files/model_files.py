"""The files of releases: keeps the archive of a trained model, checks that a kept archive is unchanged, and looks for
the further inputs of a training.

A training job writes below the folder of its own run, from which no model is served. After the gate, `keep` copies the
archive to `models/<release>/`, where no job may write. S3 computes the SHA-256 of the copy and stores it with each
version of the object, so `check` needs only that value and never reads an archive.
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
# CopyObject takes up to 5 GiB. A larger object is copied in parts, and its SHA-256 is computed from those of the parts,
# followed by their number: with parts of another size the same archive would get another value.
COPY = TransferConfig(multipart_threshold=5 * GIB, multipart_chunksize=GIB)
# Without the source's metadata and tags, which would need further permissions to read.
COPIED_WITH = {"ChecksumAlgorithm": "SHA256", "MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}


class ArchiveMissingError(Exception):
    """An archive is missing; the message says which one and where it should be."""


class ArchiveChangedError(Exception):
    """An archive differs from the recorded one; the message says which one, what was found and what to do."""


class InputMissingError(Exception):
    """A further input of a training is missing; the message says what to do."""


class UnknownOperationError(Exception):
    """The function does not have the requested operation."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Carries out `operation`, one of the functions below, with the event's other keys."""
    operations = {"keep": keep, "check": check, "find": find}
    operation = event.get("operation")
    if operation not in operations:
        raise UnknownOperationError(f"operation is {operation!r}: it must be one of {', '.join(operations)}")
    result = operations[operation](event)
    LOGGER.info("%s: %s", operation, json.dumps(result))
    return result


@functools.cache
def client() -> Any:
    """One client per execution environment: making one takes longer than a call."""
    return boto3.client("s3")


def keep(event: dict[str, Any]) -> dict[str, Any]:
    """Copies the archive at `model_data`, and the job's output beside it, to the folder of `release`.

    Returns the copy's S3 URI (`model_data`) and its `sha256`. It can be called again. Raises ArchiveMissingError, and
    ArchiveChangedError if the target already has another archive.
    """
    release, source = event["release"], event["model_data"]
    folder = KEPT_FOLDER.format(release=release)
    kept = f"s3://{os.environ['DATA_BUCKET']}/{folder}/{MODEL_ARCHIVE}"
    if not _copy(source, kept):
        raise ArchiveMissingError(f"the trained archive {source} of release {release} is not there")
    # A model that was trained elsewhere may have none.
    _copy(posixpath.join(posixpath.dirname(source), OUTPUT_ARCHIVE), f"{posixpath.dirname(kept)}/{OUTPUT_ARCHIVE}")
    sha256 = _sha256(kept)
    if sha256 is None:
        raise ArchiveChangedError(
            f"the archive {kept} of release {release} was replaced while it was copied: release again"
        )
    return {"model_data": kept, "sha256": sha256}


def check(event: dict[str, Any]) -> dict[str, Any]:
    """Refuses the archive at `model_data` unless it has the recorded `sha256` of `release`.

    Returns whether it was `checked`: a release that was recorded before hashes existed has none. Raises
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
    """Checks that each of `inputs` (`uri`, `remedy`) has objects below its URI. Raises InputMissingError."""
    for wanted in event["inputs"]:
        bucket, prefix = _split(wanted["uri"])
        if not client().list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount", 0):
            raise InputMissingError(f"there is no object below {wanted['uri']}: {wanted['remedy']}")
    return {"found": [wanted["uri"] for wanted in event["inputs"]]}


def _copy(source: str, to: str) -> bool:
    """Copies an object; returns whether it existed."""
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
    """The SHA-256 that S3 stores with an object, in hexadecimal as `sha256sum` prints it; None if it has none."""
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
