"""An endpoint that somebody deletes is noticed by the rule of `WorkflowAlarms`, the moment it happens."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from cdk_fargate_sagemaker.monitoring import WorkflowAlarms
from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.access import make_queue
from tests.constructs.minimal.monitoring import release_workflow


def test_an_endpoint_that_is_deleted_is_told_at_once(
    embedded_aws: EmbeddedAws, configuration: Callable[..., str], eventually: Callable[..., Any]
) -> None:
    stack = cdk.Stack(cdk.App(), "Stack")
    workflow = release_workflow(stack)
    workflow_topic = sns.Topic(stack, "Alerts")
    WorkflowAlarms(stack, "Alarms", workflow=workflow, alerts_topic=workflow_topic)
    rules = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    patterns = [rule["Properties"].get("EventPattern", {}) for rule in rules]
    (pattern,) = [pattern for pattern in patterns if pattern.get("source") == ["aws.sagemaker"]]
    name = f"gone-{uuid.uuid4().hex[:8]}"
    pattern["detail"]["EndpointName"] = [name]
    events, sagemaker = embedded_aws.client("events"), embedded_aws.client("sagemaker")
    rule = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    inbox, arn = make_queue(embedded_aws, name, takes_from=rule)
    events.put_targets(Rule=name, Targets=[{"Id": "inbox", "Arn": arn}])

    def told() -> list[str]:
        received = embedded_aws.client("sqs").receive_message(QueueUrl=inbox, WaitTimeSeconds=1)
        return [json.loads(each["Body"])["detail"]["EndpointStatus"] for each in received.get("Messages", [])]

    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=configuration("first"))
    eventually(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
    assert told() == [], "that it is made and serves is no alert"
    sagemaker.delete_endpoint(EndpointName=name)
    assert eventually(told)[0] in ("DELETING", "DELETED")
