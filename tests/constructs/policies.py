"""What the policies of a template allow a service, judged by an evaluator that this project did not write."""

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk.assertions import Annotations, Match, Template
from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy

ACCOUNT = "111122223333"
REGION = "eu-central-1"
_VALUES = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}


def may(policy: Any, service: str, action: str, resource: str, **context: str) -> bool:
    """Whether `service` may do `action`; `context` has the condition keys of the call, `SourceAccount` and the like."""
    asked = EvalContext(
        principal_arn="",
        principal_type="AWSService",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=REGION,
        secure_transport=True,
        service_context={f"aws:{key}".lower(): value for key, value in context.items()},
    )
    return str(evaluate_resource_policy(policy, asked, service=service).decision) == "Allow"


def topic_policies(template: Template) -> list[dict[str, Any]]:
    """The policy documents of a template's topics, each reference as text."""
    return [
        resolved(policy["Properties"]["PolicyDocument"])
        for policy in template.find_resources("AWS::SNS::TopicPolicy").values()
    ]


def key_policies(template: Template) -> list[dict[str, Any]]:
    """The policy documents of a template's keys, each reference as text."""
    return [resolved(key["Properties"]["KeyPolicy"]) for key in template.find_resources("AWS::KMS::Key").values()]


def resolved(value: Any) -> Any:
    """`value` with each reference as text: the value of a pseudo parameter, or the resource's logical id."""
    match value:
        case {"Ref": str(name)}:
            return _VALUES.get(name, name)
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"{name}.{attribute}"
        case {"Fn::Join": [str(delimiter), list(parts)]}:
            return delimiter.join(map(resolved, parts))
        case dict():
            return {key: resolved(part) for key, part in value.items()}
        case list():
            return [resolved(part) for part in value]
    return value


def identical_statements(policy: dict[str, Any]) -> list[str]:
    """Statements that a policy has more than once."""
    texts = [json.dumps({**statement, "Sid": None}, sort_keys=True) for statement in policy["Statement"]]
    return sorted({text for text in texts if texts.count(text) > 1})


def missing_statements(stack: cdk.Stack) -> dict[str, list[str]]:
    """What the app warns that owners of imported resources have to add, by the path of the resource."""
    found: dict[str, list[str]] = {}
    for message in Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("missing-statement")):
        found.setdefault(message.id, []).append(str(message.entry.data))
    return found
