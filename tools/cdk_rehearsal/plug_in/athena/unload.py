"""Athena's UNLOAD, and Step Functions' `startQueryExecution.sync`.

ministack runs a query's SELECT with DuckDB over the objects of Glue's tables; it supports neither of these.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from cdk_rehearsal.plug_in.aws_clients import own_client
from cdk_rehearsal.plug_in.ministack_adapter import athena, stepfunctions
from cdk_rehearsal.plug_in.stepfunctions.running_task import running_task

_POLL_SECONDS = 0.05
_UNLOAD = re.compile(
    r"\s*UNLOAD\s*\((?P<select>.*)\)\s*TO\s*'s3://(?P<bucket>[^/']+)/(?P<prefix>[^']*)'\s*WITH\s*\((?P<options>[^()]*)\)\s*",
    re.IGNORECASE | re.DOTALL,
)
_OPTION = re.compile(r"(\w+)\s*=\s*'([^']*)'")
_ONLY = {"format": "JSON", "compression": "GZIP"}


def install() -> None:
    athena.run_duckdb = _unloading(athena.run_duckdb)
    athena.mock_query_results = _refusing(athena.mock_query_results)
    stepfunctions.optimized_integrations["arn:aws:states:::athena:startQueryExecution"] = _start_query_execution


def _unloading(run: Callable[..., Any]) -> Callable[..., Any]:
    async def run_or_unload(query: str, database: str, catalog: str | None = None) -> Any:
        unload = _UNLOAD.fullmatch(query)
        if unload is None:
            return await run(query, database, catalog)
        options = {name.lower(): value for name, value in _OPTION.findall(unload["options"])}
        if {name: value.upper() for name, value in options.items()} != _ONLY:
            raise ValueError(f"UNLOAD WITH ({unload['options'].strip()}): the embedded AWS writes gzipped JSON alone")
        found = await run(unload["select"], database, catalog)
        await asyncio.to_thread(_write, unload["bucket"], unload["prefix"], found["columns"], found["rows"])
        return {"columns": [], "rows": []}

    return run_or_unload


def _write(bucket: str, prefix: str, columns: list[str], rows: list[list[Any]]) -> None:
    s3 = own_client("s3")
    if s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)["KeyCount"]:
        raise ValueError(f"HIVE_PATH_ALREADY_EXISTS: Target directory for table already exists: s3://{bucket}/{prefix}")
    lines = "".join(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
    # Athena's file names have no format suffix: the reader must know the format.
    s3.put_object(Bucket=bucket, Key=f"{prefix}{uuid.uuid4()}.gz", Body=gzip.compress(lines.encode()))


def _refusing(mock: Callable[[str], Any]) -> Callable[[str], Any]:
    def refuse_unload(query: str) -> Any:
        if _UNLOAD.fullmatch(query):
            raise ValueError("UNLOAD needs DuckDB, which is not installed: pip install duckdb")
        return mock(query)

    return refuse_unload


def _start_query_execution(resource: str, request: dict[str, Any]) -> dict[str, Any]:
    client, task = own_client("athena"), running_task.get()
    try:
        named: dict[str, Any] = {"QueryExecutionId": client.start_query_execution(**request)["QueryExecutionId"]}
    except ClientError as error:
        refused = error.response["Error"]
        raise stepfunctions.ExecutionError(f"Athena.{refused['Code']}", refused["Message"]) from error
    if not resource.endswith(".sync"):
        return named
    while True:
        execution: dict[str, Any] = client.get_query_execution(**named)["QueryExecution"]
        state = execution["Status"]["State"]
        if state in ("FAILED", "CANCELLED"):
            raise stepfunctions.ExecutionError("States.TaskFailed", json.dumps(execution, default=str))
        if state == "SUCCEEDED":
            return {"QueryExecution": json.loads(json.dumps(execution, default=str))}
        if task is not None and task.given_up:
            client.stop_query_execution(**named)
        time.sleep(_POLL_SECONDS)
