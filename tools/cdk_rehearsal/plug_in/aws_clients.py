"""boto3 clients for the emulator's own endpoint, for parts that call other services as AWS does internally."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

_lock = threading.Lock()
_clients: dict[tuple[str, str], Any] = {}


_NOBODY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


def own_client(service: str, credentials: Mapping[str, str] = _NOBODY) -> Any:
    """Never call it on the event loop: the loop would wait for itself.

    With the `credentials` of a role each call is authorized. Calls without them are AWS's own and not authorized.
    """
    key = credentials["AWS_ACCESS_KEY_ID"]
    with _lock:
        if (service, key) not in _clients:
            _clients[service, key] = boto3.client(  # type: ignore[call-overload]
                service,
                endpoint_url=os.environ["AWS_ENDPOINT_URL"],
                region_name=os.environ["AWS_REGION"],
                aws_access_key_id=key,
                aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
                config=Config(proxies={}, retries={"total_max_attempts": 1}, max_pool_connections=20),
            )
        return _clients[service, key]
