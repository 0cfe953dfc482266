"""A source: every fourth row of `houses/houses.csv` is held out."""

from typing import Any

import boto3


def handler(event: Any, context: Any) -> dict[str, Any]:
    s3, bucket, run = boto3.client("s3"), event["bucket"], event["run_prefix"]
    rows = s3.get_object(Bucket=bucket, Key="houses/houses.csv")["Body"].read().decode().splitlines()
    sides = {
        "train": [row for number, row in enumerate(rows) if number % 4],
        "test": [row for number, row in enumerate(rows) if number % 4 == 0],
    }
    for side, kept in sides.items():
        s3.put_object(Bucket=bucket, Key=f"{run}{side}/data.csv", Body="\n".join(kept).encode())
    return {side: {"uri": f"s3://{bucket}/{run}{side}/", "rows": len(kept)} for side, kept in sides.items()}
