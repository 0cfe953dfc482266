"""Exports a DynamoDB table to S3 as AWS does.

ministack accepts an export and reports it as complete a second later, but writes nothing. Its CloudFormation does not
store that a table has point-in-time recovery, without which AWS refuses an export. Layout and manifests:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import base64
import datetime
import gzip
import hashlib
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cdk_rehearsal.plug_in.aws_clients import own_client
from cdk_rehearsal.plug_in.ministack_adapter import cloudformation_resources, concurrency, dynamodb, responses

_KIND = "AWS::DynamoDB::Table"
_SAME = ("TableArn", "S3Bucket", "S3Prefix", "ExportFormat")

_Answer = Any


def install() -> None:
    dynamodb.export_table_to_point_in_time = _writing(dynamodb.export_table_to_point_in_time)
    dynamodb.describe_export = _as_it_stands(dynamodb.describe_export)
    handlers = cloudformation_resources.handlers[_KIND]
    cloudformation_resources.handlers[_KIND] = {
        **handlers,
        "create": _with_recovery(handlers["create"], properties_at=1),
        "update": _with_recovery(handlers["update"], properties_at=2),
    }


def _with_recovery(handler: Callable[..., Any], *, properties_at: int) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        name, attributes = handler(*arguments)
        specification = arguments[properties_at].get("PointInTimeRecoverySpecification", {})
        enabled = str(specification.get("PointInTimeRecoveryEnabled", False)).lower() == "true"
        dynamodb.point_in_time_recovery[name] = enabled
        return name, attributes

    return run


def _writing(export: Callable[[dict[str, Any]], _Answer]) -> Callable[[dict[str, Any]], _Answer]:
    """Starts an export of the items as they are now, on a separate thread, because it calls back into the emulator."""

    def run(request: dict[str, Any]) -> _Answer:
        name = dynamodb.table_name_from_arn(request.get("TableArn") or "")
        if name in dynamodb.tables and not dynamodb.point_in_time_recovery.get(name, False):
            return responses.error_response_json(
                "PointInTimeRecoveryUnavailableException",
                f"Point in time recovery is not enabled for table '{name}'",
            )
        known = set(dynamodb.exports)
        answer = export(request)
        if answer[0] != 200:
            return answer
        description = json.loads(answer[2])["ExportDescription"]
        if any(description.get(key) != request.get(key, description.get(key)) for key in _SAME):
            return responses.error_response_json(
                "ExportConflictException", "The client token belongs to an export with other parameters"
            )
        if description["ExportArn"] in known:
            return answer
        made = dynamodb.exports[description["ExportArn"]]
        made["ExportTime"] = made["StartTime"]
        with dynamodb.lock:
            items = [
                json.dumps({"Item": item}, ensure_ascii=False)
                for sort_keys in dynamodb.tables[name]["items"].values()
                for item in sort_keys.values()
            ]
        concurrency.spawn_background(_complete, made, items, thread_name="dynamodb-export")
        return responses.json_response({"ExportDescription": made})

    return run


def _as_it_stands(describe: Callable[[dict[str, Any]], _Answer]) -> Callable[[dict[str, Any]], _Answer]:
    """The description of an export; only the thread that writes it sets it to complete."""

    def run(request: dict[str, Any]) -> _Answer:
        made = dynamodb.exports.get(request.get("ExportArn") or "")
        return describe(request) if made is None else responses.json_response({"ExportDescription": made})

    return run


def _complete(export: dict[str, Any], items: list[str]) -> None:
    try:
        manifest = _write(export, items)
    except (BotoCoreError, ClientError) as fault:
        export |= {"FailureCode": _failure_code(fault), "FailureMessage": str(fault), "EndTime": time.time()}
        export["ExportStatus"] = "FAILED"
        return
    export |= {"ExportManifest": manifest, "ItemCount": len(items), "EndTime": time.time()}
    export["BilledSizeBytes"] = sum(len(item.encode()) for item in items)
    export["ExportStatus"] = "COMPLETED"


def _write(export: dict[str, Any], items: list[str]) -> str:
    """Writes one data file per partition; there are two, and one may be empty. Returns the summary's key."""
    s3 = own_client("s3")
    bucket = export["S3Bucket"]
    id_ = export["ExportArn"].rpartition("/")[2]
    folder = "/".join(filter(None, (export.get("S3Prefix", "").strip("/"), "AWSDynamoDB", id_)))

    def put(name: str, body: bytes) -> str:
        encryption = {}
        if export.get("S3SseAlgorithm") == "KMS":
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": export["S3SseKmsKeyId"]}
        return str(s3.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=body, **encryption)["ETag"])

    put("_started", b"")
    files = []
    for part in (items[::2], items[1::2]):
        name = f"data/{uuid.uuid4().hex[:26]}.json.gz"
        body = gzip.compress("".join(f"{item}\n" for item in part).encode())
        tag = put(name, body)
        files.append(
            {
                "itemCount": len(part),
                "md5Checksum": _md5(body),
                "etag": tag.strip('"'),
                "dataFileS3Key": f"{folder}/{name}",
            }
        )
    summary = {
        "version": "2020-06-30",
        "exportArn": export["ExportArn"],
        "startTime": _moment(export["StartTime"]),
        "endTime": _moment(time.time()),
        "tableArn": export["TableArn"],
        "tableId": export["TableId"],
        "exportTime": _moment(export["ExportTime"]),
        "s3Bucket": bucket,
        "s3Prefix": export.get("S3Prefix"),
        "s3SseAlgorithm": export.get("S3SseAlgorithm", "AES256"),
        "s3SseKmsKeyId": export.get("S3SseKmsKeyId"),
        "manifestFilesS3Key": f"{folder}/manifest-files.json",
        "billedSizeBytes": sum(len(item.encode()) for item in items),
        "itemCount": len(items),
        "outputFormat": "DYNAMODB_JSON",
        "exportType": export["ExportType"],
    }
    # The summary is written last: when it exists, the export is complete.
    for name, text in (
        ("manifest-files", "".join(f"{json.dumps(file)}\n" for file in files)),
        ("manifest-summary", json.dumps(summary)),
    ):
        put(f"{name}.checksum", _md5(text.encode()).encode())
        put(f"{name}.json", text.encode())
    return f"{folder}/manifest-summary.json"


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _failure_code(fault: BotoCoreError | ClientError) -> str:
    code = fault.response["Error"]["Code"] if isinstance(fault, ClientError) else "UNKNOWN"
    return {"NoSuchBucket": "S3NoSuchBucket", "AccessDenied": "S3AccessDenied"}.get(code, code)
