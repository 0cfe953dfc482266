"""boto3 clients of the emulator itself, for the parts that act on other services as AWS does behind the scenes."""

from __future__ import annotations

import os
import threading
from typing import Any

import boto3
from botocore.config import Config

_lock = threading.Lock()
_clients: dict[str, Any] = {}


def own_client(service: str) -> Any:
    """Never to be called on the event loop: it would wait for itself."""
    with _lock:
        if service not in _clients:
            _clients[service] = boto3.client(  # type: ignore[call-overload]
                service,
                endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                region_name=os.environ["AWS_REGION"],
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106
                config=Config(proxies={}, retries={"total_max_attempts": 1}, max_pool_connections=20),
            )
        return _clients[service]
