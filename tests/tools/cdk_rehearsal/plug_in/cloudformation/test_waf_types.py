"""The types of a firewall, which ministack has no handlers for."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws

BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/{}/0123456789abcdef"


def template(balancer: str, group: str) -> str:
    visibility = {"CloudWatchMetricsEnabled": True, "MetricName": "acl", "SampledRequestsEnabled": True}
    acl = {"Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "Rules": [], "VisibilityConfig": visibility}
    arn = {"Fn::GetAtt": ["Acl", "Arn"]}
    destination = {"Fn::Sub": f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"}
    resources: dict[str, Any] = {
        "Acl": {"Type": "AWS::WAFv2::WebACL", "Properties": acl},
        "Association": {
            "Type": "AWS::WAFv2::WebACLAssociation",
            "Properties": {"ResourceArn": balancer, "WebACLArn": arn},
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}},
        "Logging": {
            "Type": "AWS::WAFv2::LoggingConfiguration",
            "Properties": {"ResourceArn": arn, "LogDestinationConfigs": [destination]},
            "DependsOn": ["Logs"],
        },
    }
    return json.dumps({"Resources": resources})


@pytest.fixture
def deploy(embedded_aws: EmbeddedAws) -> Callable[..., Any]:
    cloudformation = embedded_aws.client("cloudformation")
    made: list[str] = []

    def run(body: str) -> str:
        name = f"waf-{uuid.uuid4().hex[:8]}"
        made.append(name)
        cloudformation.create_stack(StackName=name, TemplateBody=body, OnFailure="DELETE")
        waiter = cloudformation.get_waiter("stack_create_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})
        return name

    return run


def test_a_firewall_is_associated_until_its_stack_is_deleted(
    embedded_aws: EmbeddedAws, deploy: Callable[..., Any]
) -> None:
    balancer = BALANCER.format(uuid.uuid4().hex[:8])
    stack = deploy(template(balancer, f"aws-waf-logs-{uuid.uuid4().hex[:8]}"))
    waf, cloudformation = embedded_aws.client("wafv2"), embedded_aws.client("cloudformation")
    assert waf.get_web_acl_for_resource(ResourceArn=balancer)["WebACL"]["ARN"]
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 0.2, "MaxAttempts": 100}
    )
    with pytest.raises(waf.exceptions.WAFNonexistentItemException):
        waf.get_web_acl_for_resource(ResourceArn=balancer)


def test_fails_when_the_logs_have_no_name_that_waf_writes_to(deploy: Callable[..., Any]) -> None:
    with pytest.raises(Exception, match="Waiter StackCreateComplete failed"):
        deploy(template(BALANCER.format("any"), f"firewall-{uuid.uuid4().hex[:8]}"))
