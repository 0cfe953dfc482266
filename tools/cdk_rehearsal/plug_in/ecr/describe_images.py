"""ECR answers ImageNotFoundException as on AWS; ministack answers an empty list, which the CDK takes for an image."""

from __future__ import annotations

import json
from typing import Any

from cdk_rehearsal.plug_in.json_service import Answer, json_answer
from cdk_rehearsal.plug_in.ministack_adapter import app


def install() -> None:
    ministacks = app.service_handlers["ecr"]

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
        answer: Answer = await ministacks(method, path, headers, body, query)
        if headers.get("x-amz-target", "").endswith(".DescribeImages") and answer[0] == 200:
            asked = json.loads(body or b"{}").get("imageIds")
            if asked and not json.loads(answer[2]).get("imageDetails"):
                message = f"The image with imageId {json.dumps(asked[0])} does not exist within the repository"
                return json_answer(400, {"__type": "ImageNotFoundException", "message": message})
        return answer

    app.service_handlers["ecr"] = handle
