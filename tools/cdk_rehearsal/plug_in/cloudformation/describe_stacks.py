"""DescribeStacks waits a short time for a stack operation in progress to end.

The CDK CLI polls at once, then every five seconds; a stack operation takes a fraction of a second here.
"""

from __future__ import annotations

import asyncio
import re
import time
import urllib.parse
from typing import Any

from cdk_rehearsal.plug_in.json_service import Answer
from cdk_rehearsal.plug_in.ministack_adapter import app

_WORKING = re.compile(rb"<StackStatus>(?!REVIEW)\w+_IN_PROGRESS<")
_HOLD_SECONDS = 4.0
_LOOK_SECONDS = 0.05


def install() -> None:
    ministacks = app.service_handlers["cloudformation"]

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
        answer: Answer = await ministacks(method, path, headers, body, query)
        asked = urllib.parse.parse_qs(body.decode(errors="replace"))
        if asked.get("Action") == ["DescribeStacks"] and "StackName" in asked:
            until = time.monotonic() + _HOLD_SECONDS
            while _WORKING.search(answer[2]) and time.monotonic() < until:
                await asyncio.sleep(_LOOK_SECONDS)
                answer = await ministacks(method, path, headers, body, query)
        return answer

    app.service_handlers["cloudformation"] = handle
