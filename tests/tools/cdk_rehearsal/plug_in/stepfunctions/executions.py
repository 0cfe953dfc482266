from typing import Any

from cdk_rehearsal.embedded_aws import EmbeddedAws


def when_ended(aws: EmbeddedAws, execution: str) -> dict[str, Any] | None:
    """What an execution has become, once it is over."""
    described: dict[str, Any] = aws.client("stepfunctions").describe_execution(executionArn=execution)
    return described if described["status"] != "RUNNING" else None
