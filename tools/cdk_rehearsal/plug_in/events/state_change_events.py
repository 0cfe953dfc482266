"""The events that SageMaker and CloudWatch send to EventBridge about their resources."""

from __future__ import annotations

import concurrent.futures
import json
from datetime import UTC, datetime
from typing import Any

from cdk_rehearsal.plug_in.epoch_milliseconds import in_milliseconds
from cdk_rehearsal.plug_in.ministack_adapter import events

# One thread keeps the events in order. It is not the caller's, whose locks an event's target may need.
_teller = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="state-changes")


def put_state_change(kind: str, described: dict[str, Any], *, operation: str, resource: str) -> None:
    """Puts `SageMaker <kind> State Change` on the default bus; its detail is the Describe operation's response."""
    detail = in_milliseconds(described, service="sagemaker", operation=operation)
    _put("aws.sagemaker", f"SageMaker {kind} State Change", detail, resource=resource)


def put_alarm_state_change(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
    """Puts `CloudWatch Alarm State Change` on the default event bus."""
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"
    detail = {
        "alarmName": alarm["AlarmName"],
        "state": {"value": new, "reason": reason, "timestamp": now},
        "previousState": {"value": old},
    }
    _put("aws.cloudwatch", "CloudWatch Alarm State Change", detail, resource=alarm["AlarmArn"])


def _put(source: str, detail_type: str, detail: Any, *, resource: str) -> None:
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), "Resources": [resource]}
    _teller.submit(events.put_events, {"Entries": [entry]}, allow_aws_source=True)
