"""Deletes the leftovers of releases: models, endpoint configurations, files, and jobs that no execution waits for.

It deletes only resources of releases in the releases' table, and never one that the endpoint uses. A release's jobs,
its model and its endpoint configuration have the release's name. Its files are below `runs/<name of the execution>/`,
with copies of people's posts, and `models/<release>/`; all their versions are deleted. An export of a table continues
after its release was stopped and writes there later, so each clean-up looks again. A record gets `cleaning` before the
first deletion, so that no rollback chooses it, and `cleaned` after the last one; the next clean-up completes an
interrupted one.
"""

import datetime
import functools
import json
import logging
import os
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

LOGGER = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)

RELEASE_PREFIX = "release#"
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
LATEST_FILES = datetime.timedelta(days=30)
REPORTING_RESERVE_S = 5.0  # time that the runtime needs to report an error before the time limit


class ReleaseInUseError(Exception):
    """The endpoint runs the release that should be discarded."""


class JobStillRunningError(Exception):
    """A job was stopped and did not end within the function's time limit."""


class FilesLeftError(Exception):
    """S3 refuses to delete a file of a release."""


class UnknownOperationError(Exception):
    """The function does not have the requested operation."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Carries out `operation`: `clean_up` with `keep`, or `discard` with `release`. Returns what was `deleted`."""
    cleaner = Cleaner()
    match event.get("operation"):
        case "clean_up":
            deleted = cleaner.clean_up(event["keep"])
        case "discard":
            remaining_s = context.get_remaining_time_in_millis() / 1000 - REPORTING_RESERVE_S
            deleted = cleaner.discard(event["release"], deadline=time.monotonic() + remaining_s)
        case other:
            raise UnknownOperationError(f"operation is {other!r}: it must be clean_up or discard")
    LOGGER.info("%s: %s", event["operation"], json.dumps(deleted))
    return {"deleted": deleted}


@functools.cache
def client(service: Any) -> Any:
    """One client per service and execution environment: making one takes longer than a call."""
    return boto3.client(service)


class Cleaner:
    """Deletes resources of one endpoint's releases."""

    def __init__(self) -> None:
        self._table = os.environ["RELEASES_TABLE"]
        self._endpoint = os.environ["ENDPOINT_NAME"]
        self._dynamodb = client("dynamodb")
        self._bucket = os.environ["DATA_BUCKET"]
        self._sagemaker = client("sagemaker")
        self._s3 = client("s3")

    def clean_up(self, keep: int) -> list[str]:
        """Deletes the models and endpoint configurations of all releases except those to keep.

        It keeps the last `keep` good releases, the current one, the one before it, running ones, and those that the
        endpoint uses. It stops if another execution starts to change the endpoint; the next clean-up continues.
        """
        records = self._records()
        kept = self._kept(records, keep)
        deleted: list[str] = []
        for record in records:
            release = record["release"]
            if release in kept or "cleaned" in record or record["outcome"] == "running":
                continue
            if release in self._used():
                continue
            if not self._claim(record["entry"]):
                LOGGER.info("the endpoint is being changed: the next clean-up continues with %s", release)
                break
            deleted += self._delete(release) + self._delete_files(record)
            self._mark(record["entry"], "cleaned")
        return deleted + self._delete_late_files(records)

    def discard(self, release: str, *, deadline: float) -> list[str]:
        """Stops the release's jobs and deletes its endpoint configuration, its model and its files.

        Any of them may be missing.

        Raises ReleaseInUseError, and JobStillRunningError after `deadline` (by `time.monotonic`).
        """
        records = self._records()
        record = next((record for record in records if record["release"] == release), None)
        if record is None:
            LOGGER.info("the table holds no release %s: nothing was created for it", release)
            return []
        if release in self._used():
            raise ReleaseInUseError(f"endpoint {self._endpoint} runs release {release}: release another one first")
        stopped = self._stop_jobs(release, deadline)
        self._mark(record["entry"], "cleaning")
        deleted = self._delete(release) + self._delete_files(record)
        self._mark(record["entry"], "cleaned")
        return stopped + deleted + self._delete_late_files(records)

    def _kept(self, records: list[dict[str, str]], keep: int) -> set[str]:
        good = [record["release"] for record in records if record["outcome"] == "released"]
        answer = self._dynamodb.get_item(TableName=self._table, Key=self._key("current"), ConsistentRead=True)
        current = answer["Item"]["release"]["S"] if "Item" in answer else None
        previous = [record["previous"] for record in records if record["release"] == current and "previous" in record]
        return {*good[len(good) - keep if keep < len(good) else 0 :], *previous, *([current] if current else [])}

    def _records(self) -> list[dict[str, str]]:
        """The attributes of all releases' records that are needed here, oldest first."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="endpoint = :endpoint AND begins_with(entry, :prefix)",
            ExpressionAttributeValues={":endpoint": {"S": self._endpoint}, ":prefix": {"S": RELEASE_PREFIX}},
        )
        names = ("entry", "release", "outcome", "previous", "cleaned", "execution")
        return [{name: item[name]["S"] for name in names if name in item} for page in pages for item in page["Items"]]

    def _claim(self, entry: str) -> bool:
        """Marks a record so that no rollback chooses it; returns False if an execution holds the endpoint."""
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[
                    {
                        "ConditionCheck": {
                            "TableName": self._table,
                            "Key": self._key("lock"),
                            "ConditionExpression": "attribute_not_exists(entry)",
                        }
                    },
                    {"Update": {"TableName": self._table, "Key": self._key(entry), **_marking("cleaning")}},
                ]
            )
        except self._dynamodb.exceptions.TransactionCanceledException as fault:
            reasons = {reason.get("Code") for reason in fault.response.get("CancellationReasons", [])}
            if reasons <= {"None", None, "ConditionalCheckFailed", "TransactionConflict"}:
                return False
            raise
        return True

    def _mark(self, entry: str, mark: str) -> None:
        self._dynamodb.update_item(TableName=self._table, Key=self._key(entry), **_marking(mark))

    def _used(self) -> set[str]:
        """The names of the endpoint configurations and models that the endpoint runs or is being updated to."""
        endpoint = _unless_missing(functools.partial(self._sagemaker.describe_endpoint, EndpointName=self._endpoint))
        if endpoint is None:
            return set()
        pending = endpoint.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
        configurations = {name for name in (endpoint.get("EndpointConfigName"), pending) if name}
        used = set(configurations)
        for name in configurations:
            described = _unless_missing(
                functools.partial(self._sagemaker.describe_endpoint_config, EndpointConfigName=name)
            )
            for kind in ("ProductionVariants", "ShadowProductionVariants"):
                used |= {variant["ModelName"] for variant in (described or {}).get(kind, []) if "ModelName" in variant}
        return used

    def _delete(self, release: str) -> list[str]:
        deletions = {
            "endpoint configuration": functools.partial(
                self._sagemaker.delete_endpoint_config, EndpointConfigName=release
            ),
            "model": functools.partial(self._sagemaker.delete_model, ModelName=release),
        }
        return [f"{kind} {release}" for kind, delete in deletions.items() if _unless_missing(delete) is not None]

    def _delete_files(self, record: dict[str, str]) -> list[str]:
        """Deletes every version below the release's folders. Its inputs are elsewhere and are kept."""
        folders = [f"models/{record['release']}/"]
        # A release that was adopted has no execution.
        if execution := record.get("execution", "").rpartition(":")[2].removeprefix("-"):
            folders.append(f"runs/{execution}/")
        return [f"files in {folder}" for folder in folders if self._empty(folder)]

    def _delete_late_files(self, records: list[dict[str, str]]) -> list[str]:
        """Deletes what was written for failed and stopped releases after they were cleaned: nobody can stop an export
        of DynamoDB's, or a function that runs.
        """
        since = _moment(datetime.datetime.now(datetime.UTC) - LATEST_FILES)
        return [
            deleted
            for record in records
            if record["outcome"] != "released" and record.get("cleaned", "") > since
            for deleted in self._delete_files(record)
        ]

    def _empty(self, folder: str) -> bool:
        deleted = False
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=folder)
        for page in pages:
            versions = [
                {"Key": version["Key"], "VersionId": version["VersionId"]}
                for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            ]
            if not versions:
                continue
            refused = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": versions, "Quiet": True})
            if errors := refused.get("Errors"):
                raise FilesLeftError(f"S3 keeps {len(errors)} files of {folder}: {errors[0].get('Message')}")
            deleted = True
        return deleted

    def _stop_jobs(self, release: str, deadline: float) -> list[str]:
        """Stops the running jobs of that name, and waits until they have ended."""
        sagemaker = self._sagemaker
        jobs: dict[str, tuple[Callable[[], Any], Callable[[], Any], str]] = {
            "training job": (
                functools.partial(sagemaker.describe_training_job, TrainingJobName=release),
                functools.partial(sagemaker.stop_training_job, TrainingJobName=release),
                "TrainingJobStatus",
            ),
            "processing job": (
                functools.partial(sagemaker.describe_processing_job, ProcessingJobName=release),
                functools.partial(sagemaker.stop_processing_job, ProcessingJobName=release),
                "ProcessingJobStatus",
            ),
            "transform job": (
                functools.partial(sagemaker.describe_transform_job, TransformJobName=release),
                functools.partial(sagemaker.stop_transform_job, TransformJobName=release),
                "TransformJobStatus",
            ),
        }
        stopped = []
        # All jobs are stopped before the first wait, so that they end at the same time.
        for kind, (describe, stop, status) in jobs.items():
            if (_unless_missing(describe) or {}).get(status) in ("InProgress", "Stopping"):
                stopped.append(kind)
                if describe()[status] == "InProgress":
                    _unless_ended(stop)
        for kind in stopped:
            describe, _, status = jobs[kind]
            pause_s = FIRST_PAUSE_S
            while describe()[status] in ("InProgress", "Stopping"):
                if time.monotonic() + pause_s > deadline:
                    raise JobStillRunningError(f"{kind} {release} was asked to stop and is still {describe()[status]}")
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        return [f"{kind} {release}" for kind in stopped]

    def _key(self, entry: str) -> dict[str, Any]:
        return {"endpoint": {"S": self._endpoint}, "entry": {"S": entry}}


def _marking(mark: str) -> dict[str, Any]:
    return {
        "UpdateExpression": f"SET {mark} = :now",
        "ConditionExpression": "attribute_exists(entry)",
        "ExpressionAttributeValues": {":now": {"S": _moment(datetime.datetime.now(datetime.UTC))}},
    }


def _moment(when: datetime.datetime) -> str:
    """A time as the records store it; it sorts as text."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _unless_missing(call: Callable[[], Any]) -> Any:
    """The result of `call`; None if SageMaker does not have the resource.

    SageMaker has a separate error code for some resources; for others only the message shows it.
    """
    try:
        return call()
    except ClientError as fault:
        code, message = fault.response["Error"]["Code"], fault.response["Error"].get("Message", "").lower()
        if code in ("ResourceNotFound", "ResourceNotFoundException"):
            return None
        if code == "ValidationException" and ("could not find" in message or "not found" in message):
            return None
        raise


def _unless_ended(stop: Callable[[], Any]) -> None:
    try:
        stop()
    except ClientError as fault:
        # It ended in between: SageMaker refuses to stop a job that has ended.
        if fault.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
