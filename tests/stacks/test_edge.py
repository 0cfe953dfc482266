"""What is let in at the edge of the reference system, and where its tasks are let out to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def resources(synth: Callable[[str], Path]) -> Callable[..., Any]:
    """The resources of a type in a stack: `resources("prod", "service", "AWS::WAFv2::WebACL")`."""

    def of(environment: str, stack: str, kind: str) -> list[dict[str, Any]]:
        path = synth(environment) / f"moderation-{environment}-{stack}.template.json"
        found = json.loads(path.read_text())["Resources"].values()
        return [resource["Properties"] for resource in found if resource["Type"] == kind]

    return of


def test_in_prod_an_address_has_a_limit_a_minute_and_bodies_have_8_kib(resources: Callable[..., Any]) -> None:
    (acl,) = resources("prod", "service", "AWS::WAFv2::WebACL")
    rules = {rule["Name"]: rule["Statement"] for rule in acl["Rules"]}
    assert rules["RateLimit"] == {
        "RateBasedStatement": {"AggregateKeyType": "IP", "Limit": 6000, "EvaluationWindowSec": 60}
    }
    counted = [
        override["Name"]
        for override in rules["AWSManagedRulesCommonRuleSet"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
    ]
    # A post that speaks of an attack is a post; one that is too long is not read further by WAF.
    assert "CrossSiteScripting_BODY" in counted
    assert "SizeRestrictions_BODY" not in counted
    assert len(resources("prod", "service", "AWS::WAFv2::WebACLAssociation")) == 1
    assert resources("dev", "service", "AWS::WAFv2::WebACL") == []


def test_in_prod_tasks_reach_the_endpoints_and_two_prefix_lists_and_nothing_else(resources: Callable[..., Any]) -> None:
    (tasks,) = [
        group
        for group in resources("prod", "service", "AWS::EC2::SecurityGroup")
        if group["GroupDescription"].startswith("Tasks")
    ]
    # With rules of their own EC2 adds none that lets everything out.
    assert "SecurityGroupEgress" not in tasks
    rules = [
        rule
        for rule in resources("prod", "service", "AWS::EC2::SecurityGroupEgress")
        if "ServiceSecurityGroup" in json.dumps(rule["GroupId"])
    ]
    assert {(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules} == {("tcp", 443, 443)}
    to = [rule.get("DestinationPrefixListId") or json.dumps(rule["DestinationSecurityGroupId"]) for rule in rules]
    lists, groups = [one for one in to if one.startswith("pl-")], [one for one in to if not one.startswith("pl-")]
    assert sorted(lists) == ["pl-02cd2c6b", "pl-63a5400a"]
    assert len(groups) == 1
    assert "EndpointsSecurityGroup" in groups[0]


def test_in_prod_there_is_an_endpoint_for_each_service_that_tasks_call(resources: Callable[..., Any]) -> None:
    services = sorted(
        json.dumps(endpoint["ServiceName"]) for endpoint in resources("prod", "network", "AWS::EC2::VPCEndpoint")
    )
    wanted = ["dynamodb", "ecr.api", "ecr.dkr", "logs", "s3", "sagemaker.runtime", "secretsmanager", "sqs"]
    assert [name for name in wanted if any(name in service for service in services)] == wanted
    assert len(services) == len(wanted)


def test_what_tasks_are_given_as_a_secret_is_behind_an_endpoint(resources: Callable[..., Any]) -> None:
    (task,) = resources("prod", "service", "AWS::ECS::TaskDefinition")
    secrets = [secret["ValueFrom"] for one in task["ContainerDefinitions"] for secret in one.get("Secrets", [])]
    assert secrets
    # Another source, as the parameter store, would need an endpoint of its own.
    assert all("secret" in json.dumps(secret).lower() for secret in secrets), secrets


def test_without_endpoints_tasks_connect_over_https_alone(resources: Callable[..., Any]) -> None:
    (tasks,) = [
        group
        for group in resources("dev", "service", "AWS::EC2::SecurityGroup")
        if group["GroupDescription"].startswith("Tasks")
    ]
    (rule,) = tasks["SecurityGroupEgress"]
    assert (rule["IpProtocol"], rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("tcp", "0.0.0.0/0", 443, 443)
