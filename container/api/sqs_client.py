"""A client of SQS, and what may go wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# botocore lets out some that are not its own, as for an answer whose length is no number.
SQS_FAULTS: Final = (BotoCoreError, ClientError, ResponseParserError, ValueError)
"""What a call of SQS, or of the service that gives the credentials for it, may raise."""


def sqs_client(*, region: str, read_timeout_seconds: float) -> SQSClient:
    """Return a client that tries once: its callers try again themselves. It may wait for credentials."""
    config = Config(
        connect_timeout=1,
        read_timeout=read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
    )
    return boto3.session.Session().client("sqs", region_name=region, config=config)
