"""The List operations: filters, sorting and pagination."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cdk_rehearsal.plug_in.aws_error import validation_error

_DEFAULT_PAGE = 10


def listed(summaries: list[dict[str, Any]], request: dict[str, Any], *, answer: str, prefix: str) -> dict[str, Any]:
    """Args:
    summaries: the summaries of all resources.
    answer: the response's member that contains them.
    prefix: the prefix of their members: `Endpoint` for `EndpointName` and `EndpointStatus`.
    """
    name = f"{prefix}Name"
    chosen = [summary for summary in summaries if _chosen(summary, request, prefix)]
    by = {"Name": name, "Status": f"{prefix}Status"}.get(request.get("SortBy", ""), "CreationTime")
    descending = request.get("SortOrder", "Descending") == "Descending"
    chosen.sort(key=lambda summary: (summary[by], summary[name]), reverse=descending)
    start = _position(request["NextToken"]) if "NextToken" in request else 0
    end = start + int(request.get("MaxResults", _DEFAULT_PAGE))
    more = {"NextToken": base64.b64encode(str(end).encode()).decode()} if end < len(chosen) else {}
    return {answer: chosen[start:end], **more}


def _chosen(summary: dict[str, Any], request: dict[str, Any], prefix: str) -> bool:
    created = summary["CreationTime"]
    return (
        request.get("NameContains", "") in summary[f"{prefix}Name"]
        and request.get("StatusEquals") in (None, summary.get(f"{prefix}Status"))
        and float(request.get("CreationTimeAfter", created))
        <= created
        <= float(request.get("CreationTimeBefore", created))
    )


def _position(token: str) -> int:
    try:
        return int(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError):
        raise validation_error("Invalid NextToken.") from None
