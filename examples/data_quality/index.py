"""Measures training data, for `data_quality_check.py`. Its role reads `runs/*/train/*` of the data's bucket."""

import json
from typing import Any

import boto3


def handler(event: dict[str, str], context: object) -> dict[str, Any]:
    bucket, _, prefix = event["train"].removeprefix("s3://").partition("/")
    # What the library's sources leave: lines of JSON.
    body = boto3.client("s3").get_object(Bucket=bucket, Key=f"{prefix}posts.jsonl")["Body"]
    labels = [json.loads(line)["label"] for line in body.iter_lines() if line]
    return {"rows": len(labels), "positive_percent": 100 * sum(labels) / max(len(labels), 1)}
