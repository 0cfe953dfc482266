"""A client of SQS, and what may go wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

from aws.task_credentials import CREDENTIAL_FAULTS

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SQS_FAULTS: Final = CREDENTIAL_FAULTS
"""What a call of SQS may raise: no more than asking for the credentials that it is signed with."""


def sqs_client(*, region: str, read_timeout_seconds: float) -> SQSClient:
    """Return a client that tries once: its callers try again themselves. It may wait for credentials."""
    config = Config(
        connect_timeout=1,
        read_timeout=read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=16,
        tcp_keepalive=True,
    )
    return boto3.session.Session().client("sqs", region_name=region, config=config)
