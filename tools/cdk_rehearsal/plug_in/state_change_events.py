"""What services tell EventBridge of their resources by themselves."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import eventbridge


def put_state_change(detail_type: str, detail: dict[str, Any], *, resource: str) -> None:
    """An event on the default bus, from `aws.sagemaker`."""
    entry = {
        "Source": "aws.sagemaker",
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        "Resources": [resource],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
