"""Changes that are bad, and must be flagged by name; harmless ones, which must not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cdk_review.flag import Flag
from tests.tools.cdk_review.seeded_changes import flags_of
from tests.tools.cdk_review.shop import alarm, arn, ref, shop

Mutation = Callable[[dict[str, Any]], object]


def at(template: dict[str, Any], path: str) -> Any:
    value = template["Resources"]
    for number, name in enumerate(path.split(".")):
        value = value["Properties"][name] if number == 1 else value[int(name) if isinstance(value, list) else name]
    return value


def put(path: str, value: Any) -> Mutation:
    above, _, name = path.rpartition(".")

    def mutate(template: dict[str, Any]) -> None:
        where = at(template, above)
        (where["Properties"] if "Type" in where and "Properties" in where else where)[name] = value

    return mutate


def drop(path: str) -> Mutation:
    above, _, name = path.rpartition(".")

    def mutate(template: dict[str, Any]) -> None:
        where = at(template, above)
        place = where["Properties"] if isinstance(where, dict) and "Type" in where and "Properties" in where else where
        place.pop(int(name) if isinstance(place, list) else name)

    return mutate


def attribute(resource: str, name: str, value: Any) -> Mutation:
    return lambda template: template["Resources"][resource].update({name: value})


def without(resource: str) -> Mutation:
    return lambda template: template["Resources"].pop(resource)


def renamed(old: str, new: str) -> Mutation:
    def mutate(template: dict[str, Any]) -> None:
        text = json.dumps(template["Resources"]).replace(f'"{old}"', f'"{new}"').replace(f"${{{old}}}", f"${{{new}}}")
        template["Resources"] = json.loads(text)

    return mutate


def within_json(path: str, change: Callable[[dict[str, Any]], object]) -> Mutation:
    above, _, name = path.rpartition(".")

    def mutate(template: dict[str, Any]) -> None:
        where = at(template, above)["Properties"]
        content = json.loads(where[name])
        change(content)
        where[name] = json.dumps(content)

    return mutate


def machine(change: Callable[[dict[str, Any]], object]) -> Mutation:
    return within_json("Machine.DefinitionString", lambda content: change(content["States"]))


def board(change: Callable[[list[dict[str, Any]]], object]) -> Mutation:
    return within_json("Board.DashboardBody", lambda content: change(content["widgets"]))


def added(**resources: Any) -> Mutation:
    return lambda template: template["Resources"].update(resources)


def all_of(*mutations: Mutation) -> Mutation:
    def mutate(template: dict[str, Any]) -> None:
        for mutation in mutations:
            mutation(template)

    return mutate


STATEMENT = "RolePolicy.PolicyDocument.Statement"
DEPLOYMENT = "Service.DeploymentConfiguration"
TRACKING = "Average.TargetTrackingScalingPolicyConfiguration"
# What is changed; the kind of the flag; the logical id that it names.
BAD: dict[str, tuple[Mutation, str, str]] = {
    "a table's construct id is renamed": (renamed("Orders", "Purchases"), "replaced", "Orders"),
    "a table's key changes": (put("Orders.KeySchema.0.AttributeName", "number"), "replaced", "Orders"),
    "a table is removed": (without("Orders"), "removed", "Orders"),
    "a deletion policy is flipped": (attribute("Orders", "DeletionPolicy", "Delete"), "retention", "Orders"),
    "recovery to a point in time is off": (drop("Orders.PointInTimeRecoverySpecification"), "retention", "Orders"),
    "log retention is gone": (drop("Logs.RetentionInDays"), "retention", "Logs"),
    "log retention is shorter": (put("Logs.RetentionInDays", 7), "retention", "Logs"),
    "messages are kept for an hour": (put("Jobs.MessageRetentionPeriod", 3600), "retention", "Jobs"),
    "a bucket keeps no versions": (put("Files.VersioningConfiguration.Status", "Suspended"), "retention", "Files"),
    "objects expire": (
        put("Files.LifecycleConfiguration", {"Rules": [{"Id": "all", "Status": "Enabled", "ExpirationInDays": 7}]}),
        "retention",
        "Files",
    ),
    "a table is not encrypted": (drop("Orders.SSESpecification"), "encryption", "Orders"),
    "a bucket is not encrypted": (drop("Files.BucketEncryption"), "encryption", "Files"),
    "a listener speaks HTTP": (put("Listener.Protocol", "HTTP"), "encryption", "Listener"),
    "a key is not rotated": (put("Key.EnableKeyRotation", False), "encryption", "Key"),
    "a bucket may be public": (drop("Files.PublicAccessBlockConfiguration"), "public", "Files"),
    "a load balancer faces the internet": (put("Balancer.Scheme", "internet-facing"), "public", "Balancer"),
    "SSH from anywhere": (
        lambda template: at(template, "Group.SecurityGroupIngress").append(
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
        ),
        "public",
        "Group",
    ),
    "a wider network": (put("Group.SecurityGroupIngress.0.CidrIp", "0.0.0.0/0"), "public", "Group"),
    "a wildcard of actions": (put(f"{STATEMENT}.0.Action", "dynamodb:*"), "widened", "Role"),
    "a wildcard of resources": (put(f"{STATEMENT}.1.Resource", "*"), "widened", "Role"),
    "one more action": (put(f"{STATEMENT}.0.Action", ["dynamodb:GetItem", "dynamodb:Scan"]), "widened", "Role"),
    "a managed policy": (
        put("Role.ManagedPolicyArns", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
        "widened",
        "Role",
    ),
    "everybody may assume a role": (
        put("Role.AssumeRolePolicyDocument.Statement.0.Principal", "*"),
        "public",
        "Role",
    ),
    "a denial is gone": (without("FilesPolicy"), "widened", "Files"),
    "a guardrail alarm less": (drop(f"{DEPLOYMENT}.Alarms.AlarmNames.1"), "loosened", "Service"),
    "the circuit breaker is gone": (drop(f"{DEPLOYMENT}.DeploymentCircuitBreaker"), "loosened", "Service"),
    "half of the tasks may be gone in a deployment": (
        put(f"{DEPLOYMENT}.MinimumHealthyPercent", 50),
        "capacity",
        "Service",
    ),
    "an alarm's threshold is higher": (put("Slow.Threshold", 5), "loosened", "Slow"),
    "an alarm waits longer": (
        all_of(put("Slow.EvaluationPeriods", 10), put("Slow.DatapointsToAlarm", 10)),
        "loosened",
        "Slow",
    ),
    "an alarm sees the average": (put("Hot.Statistic", "Average"), "loosened", "Hot"),
    "missing data are fine": (put("Hot.TreatMissingData", "notBreaching"), "loosened", "Hot"),
    "an alarm's action is dropped": (drop("Hot.AlarmActions"), "silenced", "Hot"),
    "actions are off": (put("Hot.ActionsEnabled", False), "silenced", "Hot"),
    "an alarm is removed": (without("Hot"), "removed", "Hot"),
    "a composite alarm needs both": (
        put("Any.AlarmRule", {"Fn::Sub": 'ALARM("${Slow}") AND ALARM("${Hot}")'}),
        "loosened",
        "Any",
    ),
    "a composite alarm watches one": (put("Any.AlarmRule", {"Fn::Sub": 'ALARM("${Slow}")'}), "loosened", "Any"),
    "a schedule is off": (put("Nightly.State", "DISABLED"), "silenced", "Nightly"),
    "the minimum falls": (put("Count.MinCapacity", 1), "capacity", "Count"),
    "the maximum falls": (put("Count.MaxCapacity", 4), "scaling", "Count"),
    "a scheduled minimum falls": (
        put("Count.ScheduledActions.0.ScalableTargetAction.MinCapacity", 2),
        "scaling",
        "Count",
    ),
    "a target above threshold by skew": (put(f"{TRACKING}.TargetValue", 70), "scaling", "Average"),
    "a spike threshold is higher": (put("Spike.Threshold", 85), "scaling", "Spike"),
    "a spike adds one task": (
        put("Spikes.StepScalingPolicyConfiguration.StepAdjustments.0.ScalingAdjustment", 1),
        "scaling",
        "Spikes",
    ),
    "a longer cooldown": (put(f"{TRACKING}.ScaleOutCooldown", 600), "scaling", "Average"),
    "tasks with less memory": (put("Task.Memory", "512"), "capacity", "Task"),
    "a Catch is removed": (machine(lambda states: states["Charge"].pop("Catch")), "catch", "Machine"),
    "a Catch goes on": (machine(lambda states: states["Charge"]["Catch"][0].update(Next="Serve")), "catch", "Machine"),
    "a Retry is removed": (machine(lambda states: states["Charge"].pop("Retry")), "catch", "Machine"),
    "a state's time-out is gone": (machine(lambda states: states["Charge"].pop("TimeoutSeconds")), "catch", "Machine"),
    "a state is skipped": (machine(lambda states: states["Charge"].update(Next="Update")), "removed", "Machine"),
    "an endpoint without a key": (
        machine(lambda states: states["Serve"]["Arguments"].pop("KmsKeyId")),
        "encryption",
        "Machine",
    ),
    "an endpoint on one instance": (
        machine(lambda states: states["Serve"]["Arguments"]["ProductionVariants"][0].update(InitialInstanceCount=1)),
        "capacity",
        "Machine",
    ),
    "an endpoint that is not rolled back": (
        machine(lambda states: states["Update"]["Arguments"]["DeploymentConfig"].pop("AutoRollbackConfiguration")),
        "loosened",
        "Machine",
    ),
    "an instance ten times as dear": (
        machine(
            lambda states: states["Serve"]["Arguments"]["ProductionVariants"][0].update(InstanceType="ml.g5.12xlarge")
        ),
        "cost",
        "Machine",
    ),
    "a state machine logs nothing": (drop("Machine.LoggingConfiguration"), "logging", "Machine"),
    "a period under a count": (
        board(lambda widgets: widgets[0]["properties"]["metrics"][0][-1].update(period=300)),
        "period",
        "Board",
    ),
    "a dead-letter queue is gone": (drop("Jobs.RedrivePolicy"), "loosened", "Jobs"),
    "a container is root": (put("Task.ContainerDefinitions.0.User", "root"), "widened", "Task"),
    "a container is not checked": (drop("Task.ContainerDefinitions.0.HealthCheck"), "loosened", "Task"),
    "a firewall's rule counts": (put("Firewall.Rules.0.Action", {"Count": {}}), "loosened", "Firewall"),
    "a password in the template": (
        put("Function.Environment.Variables.DB_PASSWORD", "correct-horse-9"),
        "secret",
        "Function",
    ),
}


def reordered(template: dict[str, Any]) -> None:
    resources = template["Resources"]
    template["Resources"] = dict(reversed(resources.items()))
    for path in (f"{STATEMENT}.0.Action", STATEMENT, "Slow.Dimensions", f"{DEPLOYMENT}.Alarms.AlarmNames"):
        at(template, path).reverse()


def new_content(template: dict[str, Any]) -> None:
    text = json.dumps(template).replace("a" * 64, "c" * 64).replace("b" * 64, "d" * 64)
    template["Resources"] = json.loads(text.replace("0123456789abcdef0123456789abcdef", "f" * 32))["Resources"]


def split_statements(template: dict[str, Any]) -> None:
    first, *others = at(template, STATEMENT)
    document = at(template, "RolePolicy.PolicyDocument")
    document["Statement"] = [*others, *({**first, "Action": action} for action in first["Action"])]


def tagged(template: dict[str, Any]) -> None:
    for resource in template["Resources"].values():
        if resource["Type"] not in ("AWS::IAM::Policy", "AWS::S3::BucketPolicy", "AWS::Lambda::Version"):
            resource["Properties"]["Tags"] = [{"Key": "team", "Value": "shop"}]


HARMLESS: dict[str, Mutation] = {
    "nothing": lambda template: None,
    "an environment variable is renamed": put("Task.ContainerDefinitions.0.Environment.1.Name", "COLOR"),
    "a function's variable is renamed": put("Function.Environment.Variables", {"RECEIPTS_SECRET_ARN": "arn:aws:x"}),
    "new code and a new image": new_content,
    "another order": reordered,
    "tags": tagged,
    "a new dashboard": added(More={"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": "{}"}}),
    "a function's description": put("Function.Description", "sends receipts by mail"),
    "an alarm's description": put("Slow.AlarmDescription", "answers are slow"),
    "a template's description": lambda template: template.update(Description="a shop"),
    "a construct's path": lambda template: template["Resources"]["Orders"].update(Metadata={"aws:cdk:path": "a/b"}),
    "statements are split": split_statements,
    "a permission less": drop(f"{STATEMENT}.1"),
    "a narrower network": put("Group.SecurityGroupIngress.0.CidrIp", "10.1.0.0/16"),
    "a stricter threshold": put("Slow.Threshold", 0.4),
    "a new alarm": added(New=alarm(Threshold=95)),
    "one task more": put("Count.MinCapacity", 3),
    "a larger maximum": put("Count.MaxCapacity", 12),
    "a target one point up": put(f"{TRACKING}.TargetValue", 61),
    "logs are kept longer": put("Logs.RetentionInDays", 365),
    "more memory": put("Function.MemorySize", 512),
    "a widget's title": board(lambda widgets: widgets[0]["properties"].update(title="Running tasks")),
    "a line that follows its setting": board(
        lambda widgets: widgets[0]["properties"]["annotations"]["horizontal"][0].update(label="maximum: 12", value=12)
    ),
    "a new state": machine(
        lambda states: (states["Update"].update(Next="Report"), states.update(Report={"Type": "Pass", "Next": "Done"}))
    ),
    "a new function with a role of its own": added(
        Other={"Type": "AWS::Lambda::Function", "Properties": {"Role": arn("OtherRole")}},
        OtherRole={
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ]
                },
                "Policies": [
                    {
                        "PolicyName": "queue",
                        "PolicyDocument": {
                            "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn("Jobs")}]
                        },
                    }
                ],
            },
        },
    ),
    "an output": lambda template: template.update(Outputs={"Table": {"Value": ref("Orders")}}),
}


@pytest.fixture(scope="module")
def flags_by_case(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Flag]]:
    """Every case is a stack of one assembly: what a change replaces is asked once."""
    mutations = {case: mutation for case, (mutation, _, _) in BAD.items()} | HARMLESS
    return flags_of(mutations, shop, tmp_path_factory.mktemp("seeded"))


@pytest.mark.parametrize("case", BAD)
def test_flags_a_bad_change_by_name(case: str, flags_by_case: dict[str, list[Flag]]) -> None:
    _, kind, logical_id = BAD[case]

    assert (kind, logical_id) in {(flag.kind, flag.logical_id) for flag in flags_by_case[case]}


@pytest.mark.parametrize("case", HARMLESS)
def test_flags_nothing_in_a_harmless_change(case: str, flags_by_case: dict[str, list[Flag]]) -> None:
    assert flags_by_case[case] == []


def test_says_a_bad_change_in_few_sentences(flags_by_case: dict[str, list[Flag]]) -> None:
    assert {case: len(flags_by_case[case]) for case in BAD if len(flags_by_case[case]) > 3} == {}
