"""The policies of synthesised templates, resolved as one recorded rehearsal deployed them."""

import collections
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cdk_rehearsal.permissions import Policies, PolicyDocument

ACCOUNT, REGION = "123456789012", "us-east-1"  # the rehearsal's
_PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredStatement:
    """One statement of a template.

    `name` is its stack, its logical id and what it is about, such as "model/ReleaseRoleDefaultPolicy sns:Publish"; of
    several of one name the later ones are numbered. `holder` is the ARN that it counts for: a role's or a resource's.
    """

    name: str
    kind: str  # "identity", "trust" or "resource"
    holder: str
    statement: Mapping[str, Any] = dataclasses.field(hash=False)

    @property
    def denies(self) -> bool:
        return bool(self.statement["Effect"] == "Deny")


class Deployment:
    """Every statement that the templates of a cloud assembly declare.

    Args:
        assembly: the folder of the templates.
        resources: what a rehearsal made of each logical id of each stack: `ref` and `attributes`. A resource that it
            did not know gets a name that nothing recorded has.
    """

    def __init__(self, assembly: Path, resources: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        self._templates = {
            path.name.removesuffix(".template.json"): json.loads(path.read_text())
            for path in sorted(assembly.glob("*.template.json"))
        }
        self._resources = resources
        self._documents_made: dict[tuple[str, str, str], PolicyDocument | None] = {}
        self.statements = list(self._read())

    def policies(self, *, role: str | None, resource: str, without: DeclaredStatement | None = None) -> Policies:
        """All that applies to what a role, or a service as itself, asks of a resource."""
        holder = holder_of(resource)
        identity = self._document("identity", role, without) if role else None
        return Policies(
            identity=(identity,) if identity else (),
            resource=self._document("trust" if ":role/" in resource else "resource", holder, without),
        )

    def _document(self, kind: str, holder: str, without: DeclaredStatement | None) -> PolicyDocument | None:
        key = (kind, holder, without.name if without else "")
        if key not in self._documents_made:
            chosen = [
                each.statement
                for each in self.statements
                if each.kind == kind and each.holder == holder and each is not without
            ]
            self._documents_made[key] = {"Version": "2012-10-17", "Statement": chosen} if chosen else None
        return self._documents_made[key]

    def _read(self) -> Iterator[DeclaredStatement]:
        for stack, template in self._templates.items():
            for logical_id, resource in template["Resources"].items():
                properties = resource.get("Properties", {})
                for kind, holders, document in self._documents(stack, logical_id, resource["Type"], properties):
                    for holder in holders:
                        named: collections.Counter[str] = collections.Counter()
                        for statement in document["Statement"]:
                            name = f"{stack.rpartition('-')[2]}/{logical_id} {about(statement)}"
                            named[name] += 1
                            yield DeclaredStatement(
                                name=name if named[name] == 1 else f"{name} #{named[name]}",
                                kind=kind,
                                holder=holder,
                                statement=self._resolved(stack, statement),
                            )

    def _documents(
        self, stack: str, logical_id: str, kind: str, properties: Mapping[str, Any]
    ) -> Iterator[tuple[str, list[str], Mapping[str, Any]]]:
        match kind:
            case "AWS::IAM::Role":
                own = self._arn(stack, {"Ref": logical_id})
                yield "trust", [own], properties["AssumeRolePolicyDocument"]
                for inline in properties.get("Policies", []):
                    yield "identity", [own], inline["PolicyDocument"]
                assert not properties.get("ManagedPolicyArns"), f"{logical_id}: no managed policy is known here"
            case "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy":
                yield "identity", [self._arn(stack, role) for role in properties["Roles"]], properties["PolicyDocument"]
            case "AWS::KMS::Key":
                yield "resource", [self._arn(stack, {"Ref": logical_id})], properties["KeyPolicy"]
            case "AWS::S3::BucketPolicy":
                yield "resource", [self._arn(stack, properties["Bucket"])], properties["PolicyDocument"]
            case "AWS::SNS::TopicPolicy":
                yield "resource", self._arns(stack, properties["Topics"]), properties["PolicyDocument"]
            case "AWS::SQS::QueuePolicy":
                yield "resource", self._arns(stack, properties["Queues"]), properties["PolicyDocument"]
            case "AWS::Lambda::Permission":
                function = self._resolved(stack, properties["FunctionName"])
                yield "resource", [function], {"Statement": [_permission(properties, function)]}

    def _arns(self, stack: str, references: list[Any]) -> list[str]:
        return [self._arn(stack, reference) for reference in references]

    def _arn(self, stack: str, reference: Any) -> str:
        """The ARN of what a template refers to by its name, its URL or its ARN."""
        named = str(self._resolved(stack, reference))
        if named.startswith("arn:"):
            return named
        for resources in self._resources.values():
            for made in resources.values():
                if made["ref"] == named:
                    return str(made["attributes"].get("Arn", named))
        return f"arn:aws:unknown:::{named}"

    def _resolved(self, stack: str, value: Any) -> Any:
        match value:
            case {"Ref": str(name)}:
                return _PSEUDO.get(name) or self._made(stack, name)["ref"]
            case {"Fn::GetAtt": [name, attribute]}:
                return self._made(stack, name)["attributes"].get(attribute, f"unknown-{name}-{attribute}")
            case {"Fn::Join": [delimiter, parts]}:
                return delimiter.join(str(self._resolved(stack, part)) for part in parts)
            case {"Fn::Sub": str(text)}:
                for name, known in _PSEUDO.items():
                    text = text.replace(f"${{{name}}}", known)
                return text
            case {"Fn::ImportValue": name}:
                return self._imported(self._resolved(stack, name))
            case dict():
                return {key: self._resolved(stack, item) for key, item in value.items()}
            case list():
                return [self._resolved(stack, item) for item in value]
        return value

    def _made(self, stack: str, logical_id: str) -> Mapping[str, Any]:
        unknown = {"ref": f"unknown-{logical_id}", "attributes": {"Arn": f"arn:aws:unknown:::{logical_id}"}}
        return self._resources.get(stack, {}).get(logical_id, unknown)

    def _imported(self, name: str) -> Any:
        for stack, template in self._templates.items():
            for output in template.get("Outputs", {}).values():
                if output.get("Export", {}).get("Name") == name:
                    return self._resolved(stack, output["Value"])
        raise AssertionError(f"no template exports {name}")


def about(statement: Mapping[str, Any]) -> str:
    """Who may do what, in a few words: `sns:Publish by events.amazonaws.com`, `s3:GetObject+2`."""
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    principal = statement.get("Principal")
    by = ""
    if isinstance(principal, dict):
        name = next(iter(principal.values()))
        by = f" by {name if isinstance(name, str) else next(iter(principal))}"
    more = f"+{len(actions) - 1}" if len(actions) > 1 else ""
    deny = "not " if statement["Effect"] == "Deny" else ""
    return f"{deny}{actions[0]}{more}{by}"


def holder_of(resource: str) -> str:
    """Whose policy counts for a resource: of an object its bucket's."""
    return resource.partition("/")[0] if resource.startswith("arn:aws:s3:::") else resource


def _permission(properties: Mapping[str, Any], function: str) -> dict[str, Any]:
    conditions = {}
    if "SourceArn" in properties:
        conditions["ArnLike"] = {"AWS:SourceArn": properties["SourceArn"]}
    if "SourceAccount" in properties:
        conditions["StringEquals"] = {"AWS:SourceAccount": properties["SourceAccount"]}
    return {
        "Effect": "Allow",
        "Principal": {"Service": properties["Principal"]},
        "Action": properties["Action"],
        "Resource": function,
        **({"Condition": conditions} if conditions else {}),
    }
