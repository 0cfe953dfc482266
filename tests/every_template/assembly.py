"""The templates that are deployed together, with what CloudFormation would put in place of each reference."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

_ACCOUNT = "123456789012"
# No name of a region is longer.
_REGION = "ap-southeast-1"

# What a resource is named by, how long CloudFormation makes such a name, and its ARN.
_NAMES = {
    "AWS::CloudWatch::Alarm": ("AlarmName", 255, "cloudwatch:{region}:{account}:alarm:{name}"),
    "AWS::DynamoDB::Table": ("TableName", 255, "dynamodb:{region}:{account}:table/{name}"),
    "AWS::ECS::Cluster": ("ClusterName", 255, "ecs:{region}:{account}:cluster/{name}"),
    "AWS::ECS::Service": ("ServiceName", 255, "ecs:{region}:{account}:service/{name}"),
    "AWS::IAM::Role": ("RoleName", 64, "iam::{account}:role/{name}"),
    "AWS::KMS::Key": ("KeyId", 36, "kms:{region}:{account}:key/{name}"),
    "AWS::Lambda::Function": ("FunctionName", 64, "lambda:{region}:{account}:function:{name}"),
    "AWS::Logs::LogGroup": ("LogGroupName", 512, "logs:{region}:{account}:log-group:{name}:*"),
    "AWS::S3::Bucket": ("BucketName", 63, "s3:::{name}"),
    "AWS::SNS::Topic": ("TopicName", 256, "sns:{region}:{account}:{name}"),
    "AWS::SQS::Queue": ("QueueName", 80, "sqs:{region}:{account}:{name}"),
    "AWS::SageMaker::Model": ("ModelName", 63, "sagemaker:{region}:{account}:model/{name}"),
    "AWS::SecretsManager::Secret": ("Name", 512, "secretsmanager:{region}:{account}:secret:{name}-AbCdEf"),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", 80, "states:{region}:{account}:stateMachine:{name}"),
}
_REF_IS_ARN = {"AWS::SNS::Topic", "AWS::SecretsManager::Secret", "AWS::StepFunctions::StateMachine"}
_LOWER = {"AWS::S3::Bucket"}

Template = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement of the policy of a role, whose ARN is `role`."""

    role: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Any]

    def allows(self, action: str, resource: str) -> bool:
        return any(fnmatchcase(action.lower(), known.lower()) for known in self.actions) and any(
            fnmatchcase(resource, known) for known in self.resources
        )


class Assembly:
    """A cloud assembly. Names that CloudFormation makes up are as long as it makes them at most."""

    def __init__(self, folder: Path) -> None:
        self.templates: dict[str, Template] = {
            path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.template.json"))
        }
        artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"].values()
        # Of an app that deploys to several accounts one stands for all: their numbers are equally long.
        environment = min(found["environment"] for found in artifacts if found["type"] == "aws:cloudformation:stack")
        account, region = environment.removeprefix("aws://").split("/")
        self.account = _ACCOUNT if account.startswith("unknown") else account
        self.region = _REGION if region.startswith("unknown") else region
        self._pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{self.account}:stack/stack/51af3dc0-da77-11e4-872e",
            "AWS::StackName": "stack",
            "AWS::URLSuffix": "amazonaws.com",
        }

    def set_stack_id(self, life: str) -> None:
        """Makes these the templates of another life of the same stack."""
        self._pseudo["AWS::StackId"] = f"arn:aws:cloudformation:{self.region}:{self.account}:stack/stack/{life}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def resources(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Id and properties of each resource of a type, as deployed."""
        for template in self.templates.values():
            for name, resource in template["Resources"].items():
                if resource["Type"] == kind:
                    yield name, self.deployed(template, resource.get("Properties", {}))

    def state_machines(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Name, role's ARN and definition of each state machine."""
        for name, properties in self.resources("AWS::StepFunctions::StateMachine"):
            shown = properties.get("StateMachineName", name)
            yield shown, properties["RoleArn"], json.loads(properties["DefinitionString"])

    @cached_property
    def statements(self) -> list[Statement]:
        """What is allowed to the roles of the assembly; of denials there are none."""
        found = []
        for template in self.templates.values():
            for name, resource in template["Resources"].items():
                properties = resource.get("Properties", {})
                if resource["Type"] == "AWS::IAM::Policy":
                    documents = [properties["PolicyDocument"]]
                    roles = [self._arn(template, role["Ref"]) for role in properties["Roles"]]
                elif resource["Type"] == "AWS::IAM::Role":
                    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
                    roles = [self._arn(template, name)]
                else:
                    continue
                for statement in (statement for document in documents for statement in document["Statement"]):
                    assert statement["Effect"] == "Allow"
                    found += [
                        Statement(
                            role=role,
                            actions=_listed(statement["Action"]),
                            resources=_listed(self.deployed(template, statement["Resource"])),
                            conditions=self.deployed(template, statement.get("Condition", {})),
                        )
                        for role in roles
                    ]
        return found

    def allowing(self, role: str, action: str, resource: str) -> list[Statement]:
        """The statements by which a role may do something."""
        return [found for found in self.statements if found.role == role and found.allows(action, resource)]

    def deployed(self, template: Template, part: Any) -> Any:
        """A part of a template with CloudFormation's functions evaluated."""
        match part:
            case {"Ref": name} if len(part) == 1:
                return self._ref(template, name)
            case {"Fn::GetAtt": [name, attribute]}:
                return self._attribute(template, name, attribute)
            case {"Fn::Join": [delimiter, parts]}:
                return delimiter.join(self.deployed(template, item) for item in parts)
            case {"Fn::Split": [delimiter, text]}:
                return self.deployed(template, text).split(delimiter)
            case {"Fn::Select": [index, parts]}:
                return self.deployed(template, parts)[int(index)]
            case {"Fn::Sub": str(text)}:
                for name, value in self._pseudo.items():
                    text = text.replace(f"${{{name}}}", value)
                assert "${" not in text, text
                return text
            case {"Fn::ImportValue": name}:
                return self._exported(name)
            case {"Fn::FindInMap": [name, top, second]}:
                return template["Mappings"][name][self.deployed(template, top)][self.deployed(template, second)]
            case dict():
                unknown = [key for key in part if key.startswith("Fn::")]
                assert not unknown, f"{unknown} is not known here"
                return {key: self.deployed(template, value) for key, value in part.items()}
            case list():
                return [self.deployed(template, item) for item in part]
        return part

    def _exported(self, name: str) -> Any:
        for template in self.templates.values():
            for output in template.get("Outputs", {}).values():
                if output.get("Export", {}).get("Name") == name:
                    return self.deployed(template, output["Value"])
        raise AssertionError(f"no stack exports {name}")

    def _ref(self, template: Template, name: str) -> str:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in template.get("Parameters", {}):
            return str(template["Parameters"][name].get("Default", name))
        kind = template["Resources"][name]["Type"]
        if kind in _REF_IS_ARN:
            return self._arn(template, name)
        return self._name(template, name) if kind in _NAMES else name

    def _attribute(self, template: Template, name: str, attribute: str) -> str:
        kind = template["Resources"][name]["Type"]
        if kind in _NAMES and attribute in ("Arn", "TopicArn"):
            return self._arn(template, name)
        if kind in _NAMES and attribute in ("Name", _NAMES[kind][0]):
            return self._name(template, name)
        return f"{name}.{attribute}"

    def _arn(self, template: Template, name: str) -> str:
        _, _, form = _NAMES[template["Resources"][name]["Type"]]
        return "arn:aws:" + form.format(region=self.region, account=self.account, name=self._name(template, name))

    def _name(self, template: Template, name: str) -> str:
        resource = template["Resources"][name]
        member, longest, _ = _NAMES[resource["Type"]]
        given = resource.get("Properties", {}).get(member)
        if given is not None:
            return str(self.deployed(template, given))
        mark = hashlib.sha256(name.encode()).hexdigest()
        if resource["Type"] == "AWS::KMS::Key":
            return f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-a{mark[17:20]}-{mark[20:32]}"
        made = f"{name[: longest - 9]:x<{longest - 9}}-{mark[:8]}"
        return made.lower() if resource["Type"] in _LOWER else made


def _listed(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
