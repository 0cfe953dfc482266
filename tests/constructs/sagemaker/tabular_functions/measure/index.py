"""An evaluation: what training wrote, beside what was recorded of the current model on the same rows."""

import io
import json
import tarfile
from typing import Any

import boto3


def handler(event: Any, context: Any) -> dict[str, Any]:
    bucket, _, key = event["model_data"].removeprefix("s3://").partition("/")
    output = boto3.client("s3").get_object(Bucket=bucket, Key=key.replace("model.tar.gz", "output.tar.gz"))
    with tarfile.open(fileobj=io.BytesIO(output["Body"].read())) as archive:
        file = archive.extractfile("evaluation.json")
        assert file is not None
        written = json.load(file)
    current = event["current"]
    return {"metrics": written["metrics"], "current_metrics": current and current["metrics"]}
