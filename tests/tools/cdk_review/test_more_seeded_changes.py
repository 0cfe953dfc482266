"""Further changes, bad and harmless, to what stands around a service: entrances, identities, schedules, networks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdk_review.flag import Flag
from tests.tools.cdk_review.seeded_changes import flags_of
from tests.tools.cdk_review.shop import arn, ref, shop
from tests.tools.cdk_review.test_seeded_changes import (
    STATEMENT,
    Mutation,
    added,
    all_of,
    at,
    attribute,
    drop,
    machine,
    put,
    without,
)

OTHER_ACCOUNT = "arn:aws:iam::999999999999:root"
SIGN_IN = {"Type": "authenticate-oidc", "Order": 1}
FORWARD = {"Type": "forward", "Order": 2, "TargetGroupArn": ref("Targets")}


def estate() -> dict[str, Any]:
    """The shop, and what stands around it."""
    template = shop()
    template["Outputs"] = {"Table": {"Value": ref("Orders"), "Export": {"Name": "shop-table"}}}
    template["Parameters"] = {"Webhook": {"Type": "String", "NoEcho": True}}
    resources = template["Resources"]
    resources["Service"]["Properties"].pop("LaunchType")
    resources["Service"]["Properties"]["CapacityProviderStrategy"] = [
        {"CapacityProvider": "FARGATE", "Base": 2, "Weight": 1},
        {"CapacityProvider": "FARGATE_SPOT", "Weight": 1},
    ]
    resources["Function"]["Properties"] |= {"Runtime": "python3.12", "Role": arn("Role")}
    resources["Listener"]["Properties"] |= {"SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}
    others = {
        "Targets": (
            "ElasticLoadBalancingV2::TargetGroup",
            {"HealthCheckPath": "/ready", "Matcher": {"HttpCode": "200"}, "HealthCheckIntervalSeconds": 10},
        ),
        "Admin": (
            "ElasticLoadBalancingV2::ListenerRule",
            {
                "Priority": 1,
                "Conditions": [{"Field": "path-pattern", "Values": ["/admin*"]}],
                "Actions": [SIGN_IN, FORWARD],
            },
        ),
        "Guard": ("WAFv2::WebACLAssociation", {"WebACLArn": arn("Firewall"), "ResourceArn": ref("Balancer")}),
        "Mail": ("SNS::Subscription", {"TopicArn": ref("Alerts"), "Protocol": "sqs", "Endpoint": arn("Jobs")}),
        "Reader": ("Lambda::EventSourceMapping", {"EventSourceArn": arn("Jobs"), "FunctionName": ref("Function")}),
        "Door": (
            "EC2::VPCEndpoint",
            {
                "VpcEndpointType": "Gateway",
                "PolicyDocument": {
                    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]
                },
            },
        ),
        "Out": ("EC2::Route", {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": ref("Nat")}),
        "Nat": ("EC2::NatGateway", {"SubnetId": "subnet-1"}),
        "Partner": (
            "IAM::Role",
            {
                "AssumeRolePolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
                            "Action": "sts:AssumeRole",
                            "Condition": {"StringEquals": {"sts:ExternalId": "shop"}},
                        }
                    ]
                },
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
            },
        ),
        "Cluster": ("RDS::DBCluster", {"StorageEncrypted": True, "BackupRetentionPeriod": 14}),
        "Site": (
            "CloudFront::Distribution",
            {
                "DistributionConfig": {
                    "DefaultCacheBehavior": {"ViewerProtocolPolicy": "redirect-to-https"},
                    "ViewerCertificate": {"MinimumProtocolVersion": "TLSv1.2_2021"},
                }
            },
        ),
        "Client": (
            "Cognito::UserPoolClient",
            {"CallbackURLs": ["https://shop.example/in"], "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH"]},
        ),
        "Errors": ("Logs::MetricFilter", {"FilterPattern": "ERROR", "LogGroupName": ref("Logs")}),
        "Alias": (
            "Lambda::Alias",
            {"Name": "live", "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 5}},
        ),
        "Invoke": (
            "Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": ref("Function"),
                "Principal": "events.amazonaws.com",
                "SourceArn": "arn:aws:events:us-east-1:111111111111:rule/*",
            },
        ),
        "Plan": ("Backup::BackupPlan", {"BackupPlan": {"BackupPlanName": "daily"}}),
    }
    for name, (kind, properties) in others.items():
        resources[name] = {"Type": f"AWS::{kind}", "Properties": properties}
    return template


def section(name: str, value: Any) -> Mutation:
    return lambda template: template.update({name: value})


def key_statement(principal: str) -> Mutation:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:Decrypt", "Resource": "*"}
    return lambda template: at(template, "Key.KeyPolicy.Statement").append(statement)


BAD: dict[str, tuple[Mutation, str, str]] = {
    "a listener's rule is removed": (without("Admin"), "removed", "Admin"),
    "a rule asks nobody to sign in": (put("Admin.Actions", [FORWARD]), "public", "Admin"),
    "the firewall is taken off": (without("Guard"), "removed", "Guard"),
    "a job runs once a week": (put("Nightly.ScheduleExpression", "rate(7 days)"), "silenced", "Nightly"),
    "a job runs on Sundays": (put("Nightly.ScheduleExpression", "cron(0 3 ? * SUN *)"), "silenced", "Nightly"),
    "tasks on Spot alone": (
        put("Service.CapacityProviderStrategy", [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]),
        "capacity",
        "Service",
    ),
    "any answer is healthy": (put("Targets.Matcher.HttpCode", "200-499"), "loosened", "Targets"),
    "another path is healthy": (put("Targets.HealthCheckPath", "/"), "loosened", "Targets"),
    "a managed policy is swapped": (
        put("Partner.ManagedPolicyArns", ["arn:aws:iam::aws:policy/PowerUserAccess"]),
        "widened",
        "Partner",
    ),
    "a key is opened to another account": (key_statement(OTHER_ACCOUNT), "widened", "Key"),
    "a key is opened to everybody": (key_statement("*"), "public", "Key"),
    "an external id is not asked for": (
        drop("Partner.AssumeRolePolicyDocument.Statement.0.Condition"),
        "widened",
        "Partner",
    ),
    "a function runs as another role": (put("Function.Role", arn("Partner")), "widened", "Function"),
    "an older runtime": (put("Function.Runtime", "python3.9"), "loosened", "Function"),
    "an endpoint's policy is gone": (drop("Door.PolicyDocument"), "widened", "Door"),
    "a private subnet leads to the internet": (
        all_of(drop("Out.NatGatewayId"), put("Out.GatewayId", "igw-1")),
        "public",
        "Out",
    ),
    "an older TLS policy": (put("Listener.SslPolicy", "ELBSecurityPolicy-2016-08"), "encryption", "Listener"),
    "a site without TLS": (
        put("Site.DistributionConfig.DefaultCacheBehavior.ViewerProtocolPolicy", "allow-all"),
        "encryption",
        "Site",
    ),
    "a site with an old TLS": (
        put("Site.DistributionConfig.ViewerCertificate.MinimumProtocolVersion", "TLSv1"),
        "encryption",
        "Site",
    ),
    "a subscription is removed": (without("Mail"), "removed", "Mail"),
    "a subscription filters": (put("Mail.FilterPolicy", {"severity": ["critical"]}), "silenced", "Mail"),
    "a mapping filters": (
        put("Reader.FilterCriteria", {"Filters": [{"Pattern": "{}"}]}),
        "silenced",
        "Reader",
    ),
    "signing in leads elsewhere": (
        put("Client.CallbackURLs", ["https://shop.example/in", "https://evil.example"]),
        "widened",
        "Client",
    ),
    "passwords are sent": (
        put("Client.ExplicitAuthFlows", ["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH"]),
        "loosened",
        "Client",
    ),
    "a database's backups are short": (put("Cluster.BackupRetentionPeriod", 1), "retention", "Cluster"),
    "a filter of logs is removed": (without("Errors"), "removed", "Errors"),
    "provisioned concurrency is gone": (drop("Alias.ProvisionedConcurrencyConfig"), "capacity", "Alias"),
    "backups are removed": (without("Plan"), "removed", "Plan"),
    "an export is gone": (section("Outputs", {}), "removed", "Table"),
    "a parameter is shown": (section("Parameters", {"Webhook": {"Type": "String"}}), "secret", "Webhook"),
    "a resource is made on a condition": (attribute("Guard", "Condition", "IsProd"), "removed", "Guard"),
    "an alarm becomes a part of a composite one": (
        all_of(
            without("Slow"),
            put("Any.AlarmRule", 'ALARM("Hot")'),
            put("Service.DeploymentConfiguration.Alarms.AlarmNames", [ref("Hot")]),
        ),
        "removed",
        "Slow",
    ),
    "a state machine that waits for nobody": (
        machine(lambda states: states["Charge"].update(Type="Pass")),
        "catch",
        "Machine",
    ),
    "a table is provisioned with little": (
        put("Orders.BillingMode", "PROVISIONED"),
        "capacity",
        "Orders",
    ),
}


def partitions(template: dict[str, Any]) -> None:
    text = json.dumps(template["Resources"])
    for literal, reference in (
        (
            '"arn:aws:iam::aws:policy/ReadOnlyAccess"',
            {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess"},
        ),
        (
            '"arn:aws:iam::111111111111:root"',
            {"Fn::Join": ["", ["arn:", ref("AWS::Partition"), ":iam::111111111111:root"]]},
        ),
    ):
        text = text.replace(literal, json.dumps(reference))
    template["Resources"] = json.loads(text)


HARMLESS: dict[str, Mutation] = {
    "nothing": lambda template: None,
    "the partition is a reference": partitions,
    "a newer runtime": put("Function.Runtime", "python3.13"),
    "a newer TLS policy": put("Listener.SslPolicy", "ELBSecurityPolicy-TLS13-1-3-2021-06"),
    "more of Fargate itself": put("Service.CapacityProviderStrategy.0.Base", 4),
    "checks come more often": put("Targets.HealthCheckIntervalSeconds", 5),
    "a job runs an hour later": all_of(put("Nightly.ScheduleExpression", "rate(12 hours)")),
    "a rule for one more path": lambda template: at(template, "Admin.Conditions.0.Values").append("/internal*"),
    "an output without an export": section(
        "Outputs",
        {"Table": {"Value": ref("Orders"), "Export": {"Name": "shop-table"}}, "Url": {"Value": "https://shop.example"}},
    ),
    "an external id for one more condition": put(
        "Partner.AssumeRolePolicyDocument.Statement.0.Condition",
        {"StringEquals": {"sts:ExternalId": "shop"}, "Bool": {"aws:MultiFactorAuthPresent": "true"}},
    ),
    "a denial more": lambda template: at(template, "FilesPolicy.PolicyDocument.Statement").append(
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*"}
    ),
    "a statement's name": put(f"{STATEMENT}.0.Sid", "ReadOrders"),
    "a number as text": put("Count.MaxCapacity", "10"),
    "dependencies": attribute("Reader", "DependsOn", ["Role"]),
    "metadata": attribute("Orders", "Metadata", {"aws:cdk:path": "shop/Orders/Resource", "cdk_nag": {}}),
    "a Catch more": machine(
        lambda states: states["Undo"].update(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Failed"}])
    ),
    "a comment in a state": machine(lambda states: states["Charge"].update(Comment="takes the money")),
    "a state's other name": machine(
        lambda states: (
            states.update(Refund=states.pop("Undo")),
            [catch.update(Next="Refund") for state in states.values() for catch in state.get("Catch", ())],
        )
    ),
    "a stricter deletion policy": attribute("Cluster", "DeletionPolicy", "Retain"),
    "a subscription more": added(
        Pager={
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": ref("Alerts"), "Protocol": "sqs", "Endpoint": arn("Failed")},
        }
    ),
    "a permission is replaced": put("Invoke.SourceArn", "arn:aws:events:us-east-1:111111111111:rule/jobs"),
    "a role's description": put("Partner.Description", "reads what was sold"),
    "a parameter more": section(
        "Parameters", {"Webhook": {"Type": "String", "NoEcho": True}, "Size": {"Type": "Number", "Default": 1}}
    ),
}


@pytest.fixture(scope="module")
def flags_by_case(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Flag]]:
    mutations = {case: mutation for case, (mutation, _, _) in BAD.items()} | HARMLESS
    return flags_of(mutations, estate, tmp_path_factory.mktemp("seeded"))


@pytest.mark.parametrize("case", BAD)
def test_flags_a_bad_change_by_name(case: str, flags_by_case: dict[str, list[Flag]]) -> None:
    _, kind, logical_id = BAD[case]

    assert (kind, logical_id) in {(flag.kind, flag.logical_id) for flag in flags_by_case[case]}


@pytest.mark.parametrize("case", HARMLESS)
def test_flags_nothing_in_a_harmless_change(case: str, flags_by_case: dict[str, list[Flag]]) -> None:
    assert flags_by_case[case] == []
