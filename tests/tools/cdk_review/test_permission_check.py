"""Calls that templates declare and that no policy allows any more; other forms of the same permissions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cdk_review.assembly import read_assembly
from cdk_review.flag import Flag
from cdk_review.report import markdown
from cdk_review.review import review
from tests.tools.cdk_review.seeded_changes import flags_of
from tests.tools.cdk_review.shop import arn, ref, write_assembly
from tests.tools.cdk_review.test_seeded_changes import (
    Mutation,
    added,
    all_of,
    at,
    drop,
    put,
    renamed,
    without,
)


def allow(actions: str | list[str], resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def role(service: str, **properties: Any) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document(trust), **properties}}


def policy(owner: str, *statements: dict[str, Any]) -> dict[str, Any]:
    properties = {"PolicyName": "own", "Roles": [ref(owner)], "PolicyDocument": document(*statements)}
    return {"Type": "AWS::IAM::Policy", "Properties": properties}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


TASKS = {
    "StartAt": "Charge",
    "States": {
        "Charge": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": "CHARGE", "Payload": "{% $states.input %}"},
            "Next": "Each",
        },
        "Each": {
            "Type": "Map",
            "ItemProcessor": {
                "StartAt": "Store",
                "States": {
                    "Store": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::dynamodb:putItem",
                        "Arguments": {"TableName": "ORDERS", "Item": {}},
                        "End": True,
                    }
                },
            },
            "Next": "Report",
        },
        "Report": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Arguments": {"TopicArn": "TOPIC", "Message": "done"},
            "Next": "Print",
        },
        "Print": {
            "Type": "Task",
            "Resource": "arn:aws:states:::ecs:runTask.sync",
            "Arguments": {"Cluster": "main", "TaskDefinition": "PRINT"},
            "End": True,
        },
    },
}


def definition(content: dict[str, Any]) -> dict[str, Any]:
    """As the CDK writes it: one text, joined from parts and references."""
    text = json.dumps(content)
    parts: list[Any] = [text]
    for marker, value in {
        "CHARGE": arn("Charge"),
        "ORDERS": ref("Orders"),
        "TOPIC": ref("Topic"),
        "PRINT": ref("Print"),
    }.items():
        parts = [
            piece
            for part in parts
            for piece in (
                [one for each in part.split(marker) for one in (value, each)][1:] if isinstance(part, str) else [part]
            )
        ]
    return {"Fn::Join": ["", parts]}


def works() -> dict[str, Any]:
    """A state machine, functions, a task and deliveries, each allowed what it does."""
    resources = {
        "Charge": resource(
            "Lambda::Function",
            Role=arn("ChargeRole"),
            DeadLetterConfig={"TargetArn": arn("Failed")},
            Environment={"Variables": {"TABLE": ref("Orders"), "MODE": "live"}},
        ),
        "ChargeRole": role(
            "lambda.amazonaws.com",
            ManagedPolicyArns=[
                {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}
            ],
        ),
        "ChargePolicy": policy(
            "ChargeRole",
            allow("sqs:SendMessage", arn("Failed")),
            allow(["dynamodb:GetItem", "dynamodb:PutItem"], arn("Orders")),
            allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn("Jobs")),
        ),
        "Reader": resource("Lambda::EventSourceMapping", EventSourceArn=arn("Jobs"), FunctionName=ref("Charge")),
        "Orders": resource("DynamoDB::Table"),
        "Jobs": resource("SQS::Queue"),
        "Failed": resource("SQS::Queue"),
        "Key": resource(
            "KMS::Key",
            KeyPolicy=document(
                allow("kms:*", Principal={"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}}),
                allow(
                    ["kms:Decrypt", "kms:GenerateDataKey*"],
                    Principal={"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]},
                ),
            ),
        ),
        "Topic": resource("SNS::Topic", KmsMasterKeyId=arn("Key")),
        "TopicPolicy": resource(
            "SNS::TopicPolicy",
            Topics=[ref("Topic")],
            PolicyDocument=document(
                allow("sns:Publish", ref("Topic"), Principal={"Service": "cloudwatch.amazonaws.com"}),
                allow("sns:Publish", ref("Topic"), Principal={"Service": "events.amazonaws.com"}),
            ),
        ),
        "Slow": resource("CloudWatch::Alarm", AlarmActions=[ref("Topic")], Threshold=1),
        "Print": resource(
            "ECS::TaskDefinition",
            Family={"Fn::Sub": "${AWS::StackName}-print"},
            ExecutionRoleArn=arn("ExecutionRole"),
            TaskRoleArn=arn("TaskRole"),
            ContainerDefinitions=[
                {
                    "Name": "print",
                    "Image": "public.ecr.aws/print",
                    "Secrets": [{"Name": "PIN", "ValueFrom": ref("Pin")}],
                    "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": ref("Logs")}},
                }
            ],
        ),
        "Pin": resource("SecretsManager::Secret"),
        "Logs": resource("Logs::LogGroup"),
        "ExecutionRole": role(
            "ecs-tasks.amazonaws.com",
            Policies=[
                {
                    "PolicyName": "own",
                    "PolicyDocument": document(
                        allow("secretsmanager:GetSecretValue", ref("Pin")),
                        allow(["logs:CreateLogStream", "logs:PutLogEvents"], arn("Logs")),
                    ),
                }
            ],
        ),
        "TaskRole": role("ecs-tasks.amazonaws.com"),
        "Machine": resource("StepFunctions::StateMachine", RoleArn=arn("Role"), DefinitionString=definition(TASKS)),
        "Role": role("states.amazonaws.com"),
        "RolePolicy": policy(
            "Role",
            allow("lambda:InvokeFunction", [arn("Charge"), {"Fn::Sub": "${Charge.Arn}:*"}]),
            allow("dynamodb:PutItem", arn("Orders")),
            allow("sns:Publish", ref("Topic")),
            allow(["kms:Decrypt", "kms:GenerateDataKey*"], arn("Key")),
            allow("ecs:RunTask", ref("Print")),
            allow(["ecs:StopTask", "ecs:DescribeTasks"]),
            allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"]),
            allow("iam:PassRole", [arn("ExecutionRole"), arn("TaskRole")]),
        ),
        "Nightly": resource(
            "Events::Rule",
            ScheduleExpression="rate(1 day)",
            Targets=[{"Id": "a", "Arn": ref("Machine"), "RoleArn": arn("StarterRole")}],
        ),
        "Hourly": resource(
            "Events::Rule", ScheduleExpression="rate(1 hour)", Targets=[{"Id": "a", "Arn": arn("Charge")}]
        ),
        "Invoke": resource(
            "Lambda::Permission",
            Action="lambda:InvokeFunction",
            FunctionName=arn("Charge"),
            Principal="events.amazonaws.com",
            SourceArn=arn("Hourly"),
        ),
        "StarterRole": role("events.amazonaws.com"),
        "StarterPolicy": policy("StarterRole", allow("states:StartExecution", ref("Machine"))),
    }
    return {"Resources": resources}


CHARGE = "ChargePolicy.PolicyDocument.Statement"
STATEMENTS = "RolePolicy.PolicyDocument.Statement"
OTHER = resource("Lambda::Function", Role=arn("ChargeRole"))


def tasks(**states: Any) -> Mutation:
    content = TASKS | {"States": TASKS["States"] | states}  # type: ignore[operator]
    return put("Machine.DefinitionString", definition(content))


def another_task(resource_name: str, **arguments: Any) -> Mutation:
    report = TASKS["States"]["Report"] | {"Next": "More"}  # type: ignore[index]
    more = {"Type": "Task", "Resource": resource_name, "Arguments": arguments, "Next": "Print"}
    return tasks(Report=report, More=more)


# What is changed; the role or resource that the flag names; a word of its sentence.
BAD: dict[str, tuple[Mutation, str, str]] = {
    "a state's function": (drop(f"{STATEMENTS}.0"), "Role", "lambda:InvokeFunction on function:Charge"),
    "a state's table, within a Map": (drop(f"{STATEMENTS}.1"), "Role", "the state Store"),
    "a state's topic": (drop(f"{STATEMENTS}.2"), "Role", "sns:Publish"),
    "the key of a state's topic": (drop(f"{STATEMENTS}.3"), "Role", "kms:Decrypt on key/Key"),
    "the look at a task that is waited for": (drop(f"{STATEMENTS}.5"), "Role", "ecs:DescribeTasks"),
    "the roles of a task": (
        put(f"{STATEMENTS}.7.Resource", arn("ExecutionRole")),
        "Role",
        "iam:PassRole on role/TaskRole",
    ),
    "all of a state machine": (without("RolePolicy"), "Role", "and"),
    "another function": (
        all_of(added(Other=OTHER), put(f"{STATEMENTS}.0.Resource", arn("Other"))),
        "Role",
        "lambda:InvokeFunction on function:Charge",
    ),
    "another action": (put(f"{STATEMENTS}.1.Action", "dynamodb:GetItem"), "Role", "dynamodb:PutItem on table/Orders"),
    "a denial": (
        lambda template: at(template, STATEMENTS).append(
            {"Effect": "Deny", "Action": "sns:*", "Resource": "*"},
        ),
        "Role",
        "sns:Publish",
    ),
    "a state that nobody allowed": (
        another_task("arn:aws:states:::aws-sdk:sqs:purgeQueue", QueueUrl="{% $url %}"),
        "Role",
        "sqs:PurgeQueue",
    ),
    "a state on another table": (another_task("arn:aws:states:::dynamodb:putItem", TableName="other"), "Role", "other"),
    "who may assume the role": (
        put("Role.AssumeRolePolicyDocument.Statement.0.Principal.Service", "lambda.amazonaws.com"),
        "Role",
        "states.amazonaws.com may not assume Role",
    ),
    "a function's dead-letter queue": (
        drop(f"{CHARGE}.0"),
        "ChargeRole",
        "sqs:SendMessage",
    ),
    "a function's table": (drop(f"{CHARGE}.1"), "ChargeRole", "nothing on Orders any more"),
    "a function's source": (
        drop(f"{CHARGE}.2"),
        "ChargeRole",
        "sqs:ReceiveMessage on Jobs",
    ),
    "a function's log": (drop("ChargeRole.ManagedPolicyArns"), "ChargeRole", "logs:PutLogEvents"),
    "a task's secret": (
        drop("ExecutionRole.Policies.0.PolicyDocument.Statement.0"),
        "ExecutionRole",
        "secretsmanager:GetSecretValue",
    ),
    "a rule's target": (without("StarterPolicy"), "StarterRole", "states:StartExecution on stateMachine:Machine"),
    "a rule's function": (without("Invoke"), "Charge", "no longer lets events.amazonaws.com invoke it, as Hourly"),
    "an alarm's topic": (
        drop("TopicPolicy.PolicyDocument.Statement.0"),
        "Slow",
        "cloudwatch.amazonaws.com is denied sns:Publish on Topic",
    ),
    "the key of an alarm's topic": (drop("Key.KeyPolicy.Statement.1"), "Slow", "kms:GenerateDataKey on key/Key"),
}


def as_managed_policy(template: dict[str, Any]) -> None:
    moved = template["Resources"].pop("RolePolicy")
    moved["Properties"].pop("PolicyName")
    template["Resources"]["RoleManaged"] = moved | {"Type": "AWS::IAM::ManagedPolicy"}


def as_attached_policy(template: dict[str, Any]) -> None:
    as_managed_policy(template)
    template["Resources"]["RoleManaged"]["Properties"].pop("Roles")
    template["Resources"]["Role"]["Properties"]["ManagedPolicyArns"] = [ref("RoleManaged")]


def as_inline_policy(template: dict[str, Any]) -> None:
    moved = template["Resources"].pop("RolePolicy")["Properties"]
    moved.pop("Roles")
    template["Resources"]["Role"]["Properties"]["Policies"] = [moved]


def merged(template: dict[str, Any]) -> None:
    statements = at(template, STATEMENTS)
    tables, topic = statements[1], statements[2]
    statements[1:3] = [
        allow([tables["Action"]], [tables["Resource"]]),
        allow([topic["Action"]], [topic["Resource"]], Sid="Report"),
    ]
    statements[5:7] = [allow([*statements[5]["Action"], *statements[6]["Action"]])]


def split(template: dict[str, Any]) -> None:
    statements = at(template, STATEMENTS)
    template["Resources"]["More"] = policy("Role", *statements[4:])
    del statements[4:]


HARMLESS: dict[str, Mutation] = {
    "a managed policy in place of an inline one": as_managed_policy,
    "a managed policy that the role attaches": as_attached_policy,
    "a policy within its role": as_inline_policy,
    "statements are merged": merged,
    "a policy is split": split,
    "statements in another order": lambda template: at(template, STATEMENTS).reverse(),
    "the table's ARN is joined": put(
        f"{STATEMENTS}.1.Resource",
        {"Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Orders}"},
    ),
    "roles are passed to tasks alone": put(
        f"{STATEMENTS}.7.Condition", {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    ),
    "a policy that is written elsewhere": put(
        "Role.ManagedPolicyArns", ["arn:aws:iam::111122223333:policy/approved-for-workflows"]
    ),
    "the role has another construct id": renamed("Role", "WorkflowRole"),
    "the function has a name": put("Charge.Description", "takes the money"),
    "a denial without TLS": lambda template: at(template, STATEMENTS).append(
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    ),
    "a state that may": another_task("arn:aws:states:::dynamodb:putItem", TableName="ORDERS"),
    "a state that calls no API": another_task("arn:aws:states:::http:invoke", ApiEndpoint="https://shop.example"),
    "a state that looks up what it calls": tasks(
        Charge=TASKS["States"]["Charge"] | {"Arguments": {"FunctionName": "{% $function %}"}}  # type: ignore[index]
    ),
    "an activity": another_task("arn:aws:states:us-east-1:111122223333:activity:pack"),
    "a new function whose role says nothing of logs": added(
        Other=resource("Lambda::Function", Role=arn("OtherRole")), OtherRole=role("lambda.amazonaws.com")
    ),
    "a permission that nothing needs": all_of(
        put(f"{CHARGE}.1.Action", ["dynamodb:PutItem"]),
    ),
    "a definition that is no JSON": put("Machine.DefinitionString", ref("Definition")),
    "a rule goes, and what let it in": all_of(without("Hourly"), without("Invoke")),
}
# That a rule is gone, or that a role moves, is flagged for itself.
OF_ITSELF = {
    "a policy that is written elsewhere": "widened",
    "a rule goes, and what let it in": "removed",
    "the role has another construct id": "replaced",
}


@pytest.fixture(scope="module")
def flags_by_case(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Flag]]:
    mutations = {case: mutation for case, (mutation, _, _) in BAD.items()} | HARMLESS
    return flags_of(mutations, works, tmp_path_factory.mktemp("permissions"))


@pytest.mark.parametrize("case", BAD)
def test_flags_what_is_denied_now(case: str, flags_by_case: dict[str, list[Flag]]) -> None:
    _, logical_id, words = BAD[case]

    found = [flag for flag in flags_by_case[case] if flag.kind == "permission"]

    assert {flag.logical_id for flag in found} == {logical_id}
    assert any(words in flag.sentence for flag in found)


def test_the_page_names_the_kind_and_the_call(tmp_path: Path) -> None:
    after = works()
    BAD["a state's function"][0](after)
    sides = [
        read_assembly(write_assembly(tmp_path / name, {"shop": template}))
        for name, template in (("base", works()), ("head", after))
    ]

    page = markdown(review(*sides))

    assert "| high | permission | Role is denied lambda:InvokeFunction on function:Charge, which the state" in page


def test_finds_calls_across_stacks(tmp_path: Path) -> None:
    def assembly(name: str, *statements: dict[str, Any]) -> Path:
        exported = {"Value": ref("Topic"), "Export": {"Name": "shop:topic"}}
        topic = {"Resources": {"Topic": resource("SNS::Topic")}, "Outputs": {"Topic": exported}}
        imported = {"Fn::ImportValue": "shop:topic"}
        report = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "End": True}
        text = json.dumps({"StartAt": "Report", "States": {"Report": report | {"Parameters": {"TopicArn": "HERE"}}}})
        parts = text.split("HERE")
        flow = {
            "Machine": resource(
                "StepFunctions::StateMachine",
                RoleArn=arn("Role"),
                DefinitionString={"Fn::Join": ["", [parts[0], imported, parts[1]]]},
            ),
            "Role": role("states.amazonaws.com"),
            "RolePolicy": policy("Role", allow("sns:Publish", imported), *statements),
        }
        return write_assembly(tmp_path / name, {"topics": topic, "flow": {"Resources": flow}})

    deny = {"Effect": "Deny", "Action": "sns:Publish", "Resource": {"Fn::ImportValue": "shop:topic"}}
    base, head = read_assembly(assembly("base")), read_assembly(assembly("head", deny))

    (found,) = review(base, head).flags

    assert (found.kind, found.stack, found.logical_id) == ("permission", "flow", "Role")
    assert "sns:Publish on Topic" in found.sentence
    assert review(head, head).flags == ()


@pytest.mark.parametrize("case", HARMLESS)
def test_flags_nothing_where_the_same_is_allowed(case: str, flags_by_case: dict[str, list[Flag]]) -> None:
    kinds = {flag.kind for flag in flags_by_case[case] if flag.kind not in ("catch",)}

    assert kinds == ({OF_ITSELF[case]} if case in OF_ITSELF else set())
