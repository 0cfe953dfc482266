"""Resolves a template's references to ARNs and names, to compare calls and policies without deployment.

CloudFormation generates the names of most resources. Any name that is unique per resource is enough: here stack and
logical id, with account and region if the assembly has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from cdk_review.reference_text import as_list

# Stands for a value known only at deployment or execution. No ARN, name or policy contains this character.
UNKNOWN = "\ue000"
# Separates stack and logical id in generated names: two stacks of one class have the same logical ids.
WITHIN = "\ue001"
ANY_ACCOUNT = "111122223333"
ANY_REGION = "us-east-1"
_REFERENCE = re.compile(r"\$\{(!?[^}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a type's resources are named.

    Args:
        service: the service in its ARNs.
        path: the ARN's last part, with `{}` for the name.
        name: the property with the name.
        ref: what `Ref` is: `arn`, `name`, or `url` of a queue.
        where: the parts of the ARN between service and path: region and account, `account` alone, or neither.
    """

    service: str
    path: str
    name: str
    ref: str = "name"
    where: str = "region account"


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        f"AWS::{name}": kind
        for name, kind in {
            "Batch::JobDefinition": Kind(
                service="batch", path="job-definition/{}:1", name="JobDefinitionName", ref="arn"
            ),
            "Batch::JobQueue": Kind(service="batch", path="job-queue/{}", name="JobQueueName", ref="arn"),
            "CodeBuild::Project": Kind(service="codebuild", path="project/{}", name="Name"),
            "DynamoDB::Table": Kind(service="dynamodb", path="table/{}", name="TableName"),
            "DynamoDB::GlobalTable": Kind(service="dynamodb", path="table/{}", name="TableName"),
            "ECR::Repository": Kind(service="ecr", path="repository/{}", name="RepositoryName"),
            "ECS::Cluster": Kind(service="ecs", path="cluster/{}", name="ClusterName"),
            "ECS::TaskDefinition": Kind(service="ecs", path="task-definition/{}:1", name="Family", ref="arn"),
            "Events::EventBus": Kind(service="events", path="event-bus/{}", name="Name"),
            "Events::Rule": Kind(service="events", path="rule/{}", name="Name"),
            "Glue::Job": Kind(service="glue", path="job/{}", name="Name"),
            "IAM::ManagedPolicy": Kind(
                service="iam", path="policy/{}", name="ManagedPolicyName", ref="arn", where="account"
            ),
            "IAM::Role": Kind(service="iam", path="role/{}", name="RoleName", where="account"),
            "KMS::Key": Kind(service="kms", path="key/{}", name=""),
            "Kinesis::Stream": Kind(service="kinesis", path="stream/{}", name="Name"),
            "KinesisFirehose::DeliveryStream": Kind(
                service="firehose", path="deliverystream/{}", name="DeliveryStreamName"
            ),
            "Lambda::Function": Kind(service="lambda", path="function:{}", name="FunctionName"),
            "Logs::LogGroup": Kind(service="logs", path="log-group:{}:*", name="LogGroupName"),
            "S3::Bucket": Kind(service="s3", path="{}", name="BucketName", where=""),
            "SNS::Topic": Kind(service="sns", path="{}", name="TopicName", ref="arn"),
            "SQS::Queue": Kind(service="sqs", path="{}", name="QueueName", ref="url"),
            "SSM::Parameter": Kind(service="ssm", path="parameter/{}", name="Name"),
            "SecretsManager::Secret": Kind(service="secretsmanager", path="secret:{}-000000", name="Name", ref="arn"),
            "StepFunctions::Activity": Kind(service="states", path="activity:{}", name="Name", ref="arn"),
            "StepFunctions::StateMachine": Kind(
                service="states", path="stateMachine:{}", name="StateMachineName", ref="arn"
            ),
        }.items()
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedStack:
    """A stack whose references can be resolved.

    Args:
        path: the stack's path; a nested stack's begins with its parent's.
        resources: the resources by logical id.
        outputs: the template's outputs.
        moved: maps logical ids in the outputs to those in `resources`.
        account: the literal account, or any.
        region: the literal region, or any.
    """

    path: str
    resources: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, Any]
    moved: Mapping[str, str]
    account: str = ANY_ACCOUNT
    region: str = ANY_REGION

    @property
    def partition(self) -> str:
        """The region's partition."""
        return (
            "aws-cn" if self.region.startswith("cn-") else "aws-us-gov" if self.region.startswith("us-gov-") else "aws"
        )


class Names:
    """Resolves the references of all stacks of one side.

    Args:
        stacks: the stacks by path.
    """

    def __init__(self, stacks: Mapping[str, NamedStack]) -> None:
        self.stacks = stacks
        self._exports: dict[str, tuple[NamedStack, Any]] = {}
        for stack in stacks.values():
            for output in stack.outputs.values():
                export = output.get("Export") if isinstance(output, Mapping) else None
                name = export.get("Name") if isinstance(export, Mapping) else None
                if isinstance(name, str):
                    self._exports[name] = (stack, output.get("Value"))

    def text(self, stack: NamedStack, value: Any, *, depth: int = 0) -> str:
        """A value as one string, with `UNKNOWN` for parts that the template lacks."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float):
            return str(value)
        if not isinstance(value, Mapping) or len(value) != 1 or depth > 20:
            return UNKNOWN
        ((name, argument),) = value.items()
        match name, argument:
            case "Ref", str():
                return self._ref(stack, argument, depth)
            case "Fn::GetAtt", str() | list():
                parts = argument.split(".", 1) if isinstance(argument, str) else argument
                return self._attribute(stack, *parts, depth=depth) if _are_texts(parts, 2) else UNKNOWN
            case "Fn::Join", [str() as joint, list() as items]:
                return joint.join(self.text(stack, item, depth=depth + 1) for item in items)
            case "Fn::Sub", str() | [str(), *_]:
                return self._substituted(stack, argument, depth)
            case "Fn::ImportValue", _:
                owner, exported = self._exports.get(self.text(stack, argument, depth=depth + 1), (stack, None))
                return UNKNOWN if exported is None else self.text(owner, _moved(exported, owner), depth=depth + 1)
            case "Fn::Select", [int() | str() as place, {"Fn::Split": [str() as joint, whole]}]:
                parts = self.text(stack, whole, depth=depth + 1).split(joint)
                index = int(place) if str(place).isdigit() else len(parts)
                return parts[index] if index < len(parts) and UNKNOWN not in parts[index] else UNKNOWN
            case "Fn::If", [_, one, other]:
                both = {self.text(stack, each, depth=depth + 1) for each in (one, other)}
                return both.pop() if len(both) == 1 else UNKNOWN
        return UNKNOWN

    def plain(self, stack: NamedStack, value: Any) -> Any:
        """A value without intrinsic functions; for a condition in a list, both cases are included."""
        if isinstance(value, list):
            return [self.plain(stack, item) for item in _both_cases(value)]
        if isinstance(value, Mapping):
            if len(value) == 1 and (name := next(iter(value))) and (name == "Ref" or str(name).startswith("Fn::")):
                return self.text(stack, value)
            return {str(name): self.plain(stack, item) for name, item in value.items()}
        return value

    def arn(self, stack: NamedStack, logical_id: str) -> str | None:
        """The ARN of a resource of the stack; None for unknown types."""
        resource = stack.resources.get(logical_id)
        kind = KINDS.get(str(resource.get("Type"))) if resource else None
        return None if kind is None else _arn(stack, kind, self._name(stack, logical_id, kind))

    def by_arn(self, arn: str) -> tuple[NamedStack, Mapping[str, Any]] | None:
        """The resource with an ARN in any stack, and its stack."""
        return self._by_arn.get(arn)

    def key_by_alias(self, alias: str) -> str | None:
        """The ARN of the key of an alias in the templates."""
        return self._aliases.get(alias)

    @cached_property
    def _by_arn(self) -> dict[str, tuple[NamedStack, Mapping[str, Any]]]:
        return {
            arn: (stack, resource)
            for stack in self.stacks.values()
            for logical_id, resource in stack.resources.items()
            if (arn := self.arn(stack, logical_id))
        }

    @cached_property
    def _aliases(self) -> dict[str, str]:
        found = {}
        for stack in self.stacks.values():
            for resource in stack.resources.values():
                properties = resource.get("Properties") or {}
                if resource.get("Type") == "AWS::KMS::Alias":
                    key = self.text(stack, properties.get("TargetKeyId"))
                    arn = key if key.startswith("arn:") else _arn(stack, KINDS["AWS::KMS::Key"], key)
                    found[self.text(stack, properties.get("AliasName"))] = arn
        return found

    def _name(self, stack: NamedStack, logical_id: str, kind: Kind) -> str:
        properties = stack.resources[logical_id].get("Properties")
        given = properties.get(kind.name) if isinstance(properties, Mapping) and kind.name else None
        own = f"{stack.path.replace('/', '-')}{WITHIN}{logical_id}"
        name = own if given is None else self.text(stack, given)
        if kind.service == "iam" and isinstance(properties, Mapping) and isinstance(properties.get("Path"), str):
            name = f"{properties['Path'].strip('/')}/{name}".lstrip("/")
        return own if UNKNOWN in name else name.lstrip("/") if kind.service == "ssm" else name

    def _ref(self, stack: NamedStack, name: str, depth: int) -> str:
        pseudo = {
            "AWS::AccountId": stack.account,
            "AWS::Region": stack.region,
            "AWS::Partition": stack.partition,
            "AWS::URLSuffix": "amazonaws.com.cn" if stack.partition == "aws-cn" else "amazonaws.com",
            "AWS::StackName": stack.path.replace("/", "-"),
        }
        if name in pseudo:
            return pseudo[name]
        resource = stack.resources.get(name)
        if resource is None:
            return self._given(stack, name, depth)
        properties = resource.get("Properties") or {}
        match str(resource.get("Type")):
            case "AWS::Lambda::Version":
                return f"{self._function(stack, properties, depth)}:1"
            case "AWS::Lambda::Alias":
                return f"{self._function(stack, properties, depth)}:{self.text(stack, properties.get('Name'))}"
            case "AWS::KMS::Alias":
                return self.text(stack, properties.get("AliasName"), depth=depth + 1)
            case kind_name if kind := KINDS.get(kind_name):
                called = self._name(stack, name, kind)
                if kind.ref == "url":
                    return f"https://sqs.{stack.region}.amazonaws.com/{stack.account}/{called}"
                return _arn(stack, kind, called) if kind.ref == "arn" else called.rpartition("/")[2] or called
        return UNKNOWN

    def _function(self, stack: NamedStack, properties: Mapping[str, Any], depth: int) -> str:
        name = self.text(stack, properties.get("FunctionName"), depth=depth + 1)
        return name if name.startswith("arn:") else _arn(stack, KINDS["AWS::Lambda::Function"], name)

    def _attribute(self, stack: NamedStack, name: str, attribute: str, *, depth: int) -> str:
        resource = stack.resources.get(name)
        if resource is None:
            return UNKNOWN
        kind = KINDS.get(str(resource.get("Type")))
        if resource.get("Type") == "AWS::CloudFormation::Stack" and attribute.startswith("Outputs."):
            nested = self.stacks.get(f"{stack.path}/{name}")
            output = nested.outputs.get(attribute.removeprefix("Outputs.")) if nested else None
            if nested is None or not isinstance(output, Mapping):
                return UNKNOWN
            return self.text(nested, _moved(output.get("Value"), nested), depth=depth + 1)
        if kind is None:
            return UNKNOWN
        called = self._name(stack, name, kind)
        match attribute:
            case "Arn" | "TopicArn":
                return _arn(stack, kind, called)
            case "StreamArn":
                return f"{_arn(stack, kind, called)}/stream/2026"
            case "Name" | "QueueName" | "TopicName":
                return called
        return UNKNOWN

    def _given(self, stack: NamedStack, parameter: str, depth: int) -> str:
        """The value that a parent passes to its nested stack; other parameters are known only at deployment."""
        above, _, logical_id = stack.path.rpartition("/")
        parent = self.stacks.get(above)
        nested = parent.resources.get(logical_id) if parent else None
        given = ((nested or {}).get("Properties") or {}).get("Parameters")
        if parent is None or not isinstance(given, Mapping) or parameter not in given:
            return UNKNOWN
        return self.text(parent, given[parameter], depth=depth + 1)

    def _substituted(self, stack: NamedStack, argument: Any, depth: int) -> str:
        text, own = (
            (argument, {}) if isinstance(argument, str) else (argument[0], argument[-1]) if argument else ("", {})
        )

        def replaced(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if isinstance(own, Mapping) and name in own:
                return self.text(stack, own[name], depth=depth + 1)
            if "." in name:
                return self._attribute(stack, *name.split(".", 1), depth=depth + 1)
            return self._ref(stack, name, depth + 1)

        return _REFERENCE.sub(replaced, str(text))


def as_shown(text: str) -> str:
    """The text for messages: only logical ids, and a mark for unknown parts."""
    return re.sub(rf"[^/:]*{WITHIN}", "", text).replace(UNKNOWN, "…")


def _arn(stack: NamedStack, kind: Kind, name: str) -> str:
    region = stack.region if "region" in kind.where else ""
    account = stack.account if "account" in kind.where else ""
    return f"arn:{stack.partition}:{kind.service}:{region}:{account}:{kind.path.format(name)}"


def _are_texts(parts: list[Any], number: int) -> bool:
    return len(parts) == number and all(isinstance(part, str) for part in parts)


def _both_cases(items: list[Any]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, Mapping) and len(item) == 1 and isinstance(item.get("Fn::If"), list):
            yield from _both_cases([case for case in item["Fn::If"][1:] if case != {"Ref": "AWS::NoValue"}])
        elif item != {"Ref": "AWS::NoValue"}:
            yield item


def _moved(value: Any, stack: NamedStack) -> Any:
    """An output's value; its references have the logical ids before the change."""
    if not stack.moved:
        return value
    text = json.dumps(value)
    for old, new in stack.moved.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    return json.loads(text)


def listed(value: Any) -> list[Any]:
    """The objects of a property that is one or a list."""
    return [item for item in as_list(value) if isinstance(item, Mapping)]
