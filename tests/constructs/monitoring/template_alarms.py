"""The alarms of a template."""

from typing import Any

import aws_cdk as cdk
from aws_cdk.assertions import Template


def alarms(stack: cdk.Stack) -> dict[str, Any]:
    """Properties of each alarm of `stack`, by the last part of its name."""
    found = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    return {alarm["Properties"]["AlarmName"].rpartition("-")[2]: alarm["Properties"] for alarm in found}
