"""What SageMaker tells EventBridge of its resources by itself."""

from __future__ import annotations

import concurrent.futures
import json
from typing import Any

from ministack.services import eventbridge

from cdk_rehearsal.plug_in.milliseconds import in_milliseconds

# One thread, so that events come in order; not the caller's, whose locks an event's target may want.
_teller = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="state-changes")


def put_state_change(kind: str, described: dict[str, Any], *, operation: str, resource: str) -> None:
    """An event on the default bus: `SageMaker <kind> State Change`, with what the operation answers as its detail."""
    entry = {
        "Source": "aws.sagemaker",
        "DetailType": f"SageMaker {kind} State Change",
        "Detail": json.dumps(in_milliseconds(described, service="sagemaker", operation=operation)),
        "Resources": [resource],
    }
    _teller.submit(eventbridge._put_events, {"Entries": [entry]}, allow_aws_source=True)
