"""Clients of AWS services, and the errors that their calls may raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

from aws.task_credentials import CREDENTIAL_FAULTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

AWS_FAULTS: Final = CREDENTIAL_FAULTS
"""The errors that a call may raise; fetching the credentials that sign it raises no others."""


def dynamodb_client(*, region: str, attempts: int, read_timeout_seconds: float) -> DynamoDBClient:
    """Return a client that tries each call up to `attempts` times. Creating it may wait for credentials."""
    return boto3.session.Session().client(
        "dynamodb", region_name=region, config=_config(attempts=attempts, read_timeout_seconds=read_timeout_seconds)
    )


def sqs_client(*, region: str, read_timeout_seconds: float) -> SQSClient:
    """Return a client that tries each call once: its callers retry themselves. Creating it may wait for credentials."""
    return boto3.session.Session().client(
        "sqs", region_name=region, config=_config(attempts=1, read_timeout_seconds=read_timeout_seconds)
    )


def _config(*, attempts: int, read_timeout_seconds: float) -> Config:
    return Config(
        connect_timeout=1,
        read_timeout=read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=16,
        tcp_keepalive=True,
    )
