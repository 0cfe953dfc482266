"""A client of DynamoDB, and what may go wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

from aws.task_credentials import CREDENTIAL_FAULTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DYNAMODB_FAULTS: Final = CREDENTIAL_FAULTS
"""What a call of DynamoDB may raise: no more than asking for the credentials that it is signed with."""


def dynamodb_client(*, region: str, attempts: int, read_timeout_seconds: float) -> DynamoDBClient:
    """Return a client that tries each call `attempts` times. It may wait for credentials."""
    config = Config(
        connect_timeout=1,
        read_timeout=read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=16,
        tcp_keepalive=True,
    )
    return boto3.session.Session().client("dynamodb", region_name=region, config=config)
