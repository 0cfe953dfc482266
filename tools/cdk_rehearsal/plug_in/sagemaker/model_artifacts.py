"""Transfers archives between S3 and the folders of jobs and endpoints."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Literal

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from cdk_rehearsal.plug_in.iam import ActingRole
from cdk_rehearsal.plug_in.sagemaker.inner_path import OutsideFolderError, inner_path, is_inside


class TransferError(Exception):
    """An object is missing or unusable; the message is for a FailureReason."""


def split_s3_uri(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def object_seen(uri: str, *, role: ActingRole) -> Literal["there", "absent", "denied"]:
    """Whether a role sees that an object is absent: a role without permission to list the bucket does not."""
    bucket, key = split_s3_uri(uri)
    try:
        role.client("s3").head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        return "absent" if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404 else "denied"
    return "there"


def object_keys(uri: str, *, role: ActingRole) -> list[str]:
    """The keys of every object under the prefix. Raises TransferError if there is none."""
    bucket, prefix = split_s3_uri(uri)
    keys = []
    try:
        for page in role.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            keys += [item["Key"] for item in page.get("Contents", []) if not item["Key"].endswith("/")]
    except ClientError as error:
        raise TransferError(f"Data download failed: {error.response['Error']['Message']} ({uri})") from error
    if not keys:
        raise TransferError(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            "exists in the selected region and that objects exist under that S3 prefix."
        )
    return keys


def download_prefix(uri: str, folder: Path, *, role: ActingRole) -> None:
    """Downloads every object under the prefix into folders relative to the prefix's last slash."""
    bucket, prefix = split_s3_uri(uri)
    above = prefix[: prefix.rfind("/") + 1]
    s3 = role.client("s3")
    found = False
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                relative = item["Key"].removeprefix(above)
                if not relative or relative.endswith("/"):
                    continue
                target = inner_path(folder, relative)
                target.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(bucket, item["Key"], str(target))
                found = True
    except ClientError as error:
        raise TransferError(f"Data download failed: {error.response['Error']['Message']} ({uri})") from error
    except OutsideFolderError as error:
        raise TransferError(f"Data download failed: the object's key {error} ({uri})") from error
    if not found:
        raise TransferError(
            f'Data download failed:No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure '
            "that the bucket exists in the selected region, that objects exist under that S3 prefix, and that the role "
            f'"{role.arn}" has "s3:ListBucket" permissions on bucket "{bucket}".'
        )


def upload_folder(folder: Path, uri: str, *, role: ActingRole) -> None:
    """Uploads the folder's content as a gzipped archive."""
    bucket, key = split_s3_uri(uri)
    archive = folder.with_name(f"{folder.name}.tar.gz.part")
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for item in sorted(folder.iterdir()):
            tar.add(item, arcname=item.name)
    try:
        role.client("s3").upload_file(str(archive), bucket, key)
    except (ClientError, S3UploadFailedError) as error:
        raise TransferError(f"upload to {uri} failed: {error}") from error
    finally:
        archive.unlink()


def upload_prefix(folder: Path, uri: str, *, role: ActingRole) -> None:
    """Uploads every file of the folder below the prefix. Raises TransferError, also for a link out of the folder."""
    bucket, prefix = split_s3_uri(uri)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            if not is_inside(folder, path):
                # Otherwise a program in a container could read this machine's files.
                raise TransferError(f"upload to {uri} failed: {path.relative_to(folder)} is a link out of its folder")
            key = "/".join((prefix.rstrip("/"), *path.relative_to(folder).parts)).lstrip("/")
            try:
                role.client("s3").upload_file(str(path), bucket, key)
            except (ClientError, S3UploadFailedError) as error:
                raise TransferError(f"upload to {uri} failed: {error}") from error


def unpack(uri: str, folder: Path, *, role: ActingRole) -> None:
    """Raises TransferError if the object does not exist or is not an archive."""
    bucket, key = split_s3_uri(uri)
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder.with_name(f"{folder.name}.tar.gz")
    try:
        role.client("s3").download_file(bucket, key, str(archive))
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except ClientError as error:
        raise TransferError(f"model data {uri} cannot be read: {error.response['Error']['Message']}") from error
    except tarfile.TarError as error:
        raise TransferError(f"model data {uri} is no tar archive: {error}") from error
    finally:
        archive.unlink(missing_ok=True)
