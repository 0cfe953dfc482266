"""Splits policies into comparable grants: principal, action, resource and condition."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cdk_review.permission_check.known_names import KINDS
from cdk_review.reference_text import as_list, text_of

# Types that attach a policy document: the property with the target, and the property with the document.
ATTACHED = {
    "AWS::S3::BucketPolicy": ("Bucket", "PolicyDocument"),
    "AWS::SQS::QueuePolicy": ("Queues", "PolicyDocument"),
    "AWS::SNS::TopicPolicy": ("Topics", "PolicyDocument"),
    "AWS::SecretsManager::ResourcePolicy": ("SecretId", "ResourcePolicy"),
}
EVERYBODY = "everybody"
_REFERRED = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One atom of a policy.

    Args:
        effect: Allow or Deny.
        principal: the principal, or "" for an identity policy.
        action: the action, such as `s3:GetObject`; `NOT x,y` for all except these.
        resource: the resource, in the same notation.
        condition: canonical JSON, or "".
    """

    effect: str
    principal: str
    action: str
    resource: str
    condition: str

    def covers(self, other: Grant) -> bool:
        """Whether this grant includes `other`."""
        return (
            self.effect == other.effect
            and _condition_covers(self.condition, other.condition)
            and _matches(self.principal, other.principal)
            and _matches(self.action.lower(), other.action.lower())
            and _matches(self.resource, other.resource)
        )

    @property
    def public(self) -> bool:
        """Whether everybody in any account has it, without a condition."""
        return self.effect == "Allow" and self.principal == EVERYBODY and not self.condition

    @property
    def wild(self) -> bool:
        """Whether it permits all actions of a service or all actions."""
        return self.action in ("*", "*:*") or self.action.endswith(":*") or self.action.startswith("NOT ")

    def in_words(self) -> str:
        """The grant in words: `s3:GetObject on ${Bucket.Arn}/*`."""
        condition = f" if {_short(self.condition)}" if self.condition else ""
        who = f"{self.principal} " if self.principal else ""
        resource = "everything" if self.resource == "*" else _short(self.resource)
        return f"{who}{self.action} on {resource}{condition}"


def grants_of(resources: dict[str, dict[str, Any]]) -> dict[tuple[str, str], set[Grant]]:
    """All grants by owner: the logical id, and `identity` or the property of a resource policy."""
    found: dict[tuple[str, str], set[Grant]] = {}
    attached_by_role = {_name(arn) for arn in _attached(resources)} & resources.keys()
    for logical_id, resource in resources.items():
        properties, kind = resource.get("Properties", {}), str(resource.get("Type"))
        for owner, place, document in _documents(logical_id, kind, properties):
            # A policy that a role attaches belongs to the role.
            if owner != logical_id or kind != "AWS::IAM::ManagedPolicy" or logical_id not in attached_by_role:
                found.setdefault((owner, place), set()).update(_grants(document, resources))
        if kind == "AWS::Lambda::Permission":
            owner = _name(properties.get("FunctionName"))
            found.setdefault((owner, "permission"), set()).add(_of_permission(properties))
        for arn in as_list(properties.get("ManagedPolicyArns")) if kind.startswith("AWS::IAM::") else []:
            managed = resources.get(_name(arn), {})
            if managed.get("Type") == "AWS::IAM::ManagedPolicy":
                document = managed.get("Properties", {}).get("PolicyDocument")
                found.setdefault((logical_id, "identity"), set()).update(_grants(document, resources))
                continue
            grant = Grant(
                effect="Allow",
                principal="",
                action=f"managed policy {text_of(arn).rpartition('/')[2]}",
                resource="*",
                condition="",
            )
            found.setdefault((logical_id, "identity"), set()).add(grant)
    return found


def _attached(resources: dict[str, dict[str, Any]]) -> Iterator[Any]:
    for resource in resources.values():
        if str(resource.get("Type")).startswith("AWS::IAM::"):
            yield from as_list(resource.get("Properties", {}).get("ManagedPolicyArns"))


def _documents(logical_id: str, kind: str, properties: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    if kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        owners = [
            _name(owner) for attached in ("Roles", "Users", "Groups") for owner in as_list(properties.get(attached))
        ]
        for owner in owners or [logical_id]:
            yield owner, "identity", properties.get("PolicyDocument")
        return
    if kind in ATTACHED:
        names, document = ATTACHED[kind]
        for owner in as_list(properties.get(names)):
            yield _name(owner), "resource policy", properties.get(document)
        return
    if kind.startswith("AWS::IAM::"):
        for policy in as_list(properties.get("Policies")):
            if isinstance(policy, dict):
                yield logical_id, "identity", policy.get("PolicyDocument")
        yield logical_id, "trust", properties.get("AssumeRolePolicyDocument")
        return
    yield from ((logical_id, "resource policy", document) for document in _policies_within(properties))


def _policies_within(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _policies_within(item)
    elif isinstance(value, dict):
        statements = as_list(value.get("Statement"))
        if statements and all(isinstance(statement, dict) and "Effect" in statement for statement in statements):
            yield value
            return
        for item in value.values():
            yield from _policies_within(item)


def _grants(document: Any, resources: dict[str, dict[str, Any]]) -> Iterator[Grant]:
    for statement in as_list(document.get("Statement")) if isinstance(document, dict) else []:
        if not isinstance(statement, dict):
            continue
        condition = statement.get("Condition")
        for principal in _principals(statement):
            for action in _all_of(statement, "Action"):
                for resource in _all_of(statement, "Resource") or ["*"]:
                    yield Grant(
                        effect=str(statement.get("Effect", "Allow")),
                        principal=_of_aws(principal),
                        action=action,
                        resource=_by_attribute(_of_aws(resource), resources),
                        condition=_of_aws(_canonical(condition)) if condition else "",
                    )


def _of_aws(text: str) -> str:
    """Replaces references to the partition by `aws`: a CDK app may write either."""
    return text.replace("${AWS::Partition}", "aws").replace("${AWS::URLSuffix}", "amazonaws.com")


def _by_attribute(text: str, resources: dict[str, dict[str, Any]]) -> str:
    """Replaces an ARN built from a resource's name by the resource's attribute: both are equal."""
    if not text.startswith("arn:aws:"):
        return text
    for name in _REFERRED.findall(text):
        kind = KINDS.get(str(resources.get(name, {}).get("Type")))
        if kind is None or kind.ref != "name":
            continue
        region = "${AWS::Region}" if "region" in kind.where else ""
        account = "${AWS::AccountId}" if "account" in kind.where else ""
        written = f"arn:aws:{kind.service}:{region}:{account}:{kind.path.format(f'${{{name}}}')}"
        text = text.replace(written, f"${{{name}.Arn}}")
    return text


def _condition_covers(wider: str, narrower: str) -> bool:
    """Whether every request that satisfies the second condition satisfies the first one."""
    if not wider or wider == narrower:
        return True
    try:
        old, new = json.loads(wider), json.loads(narrower or "{}")
    except ValueError:
        return False
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    for operator, keys in old.items():
        others = new.get(operator)
        if not isinstance(keys, dict) or not isinstance(others, dict):
            # For permissions to invoke: `SourceArn` may have wildcards.
            if not isinstance(keys, str) or not isinstance(others, str) or not _matches(keys, others):
                return False
            continue
        # More values of these operators match more requests; those of others, such as StringNotEquals, match fewer.
        positive = re.fullmatch(r"(String|Arn|Numeric|Date)(Equals|Like)(IgnoreCase)?|IpAddress|Bool", operator)
        for key, values in keys.items():
            found = others.get(key)
            if found is None or (found != values and not (positive and set(found) <= set(values))):
                return False
    return True


def _canonical(condition: Any) -> str:
    """The canonical text of a condition: a value and a list with one value are equal."""
    if not isinstance(condition, dict):
        return text_of(condition)
    plain = {
        operator: {key: sorted(map(text_of, as_list(value))) for key, value in keys.items()}
        if isinstance(keys, dict)
        else text_of(keys)
        for operator, keys in condition.items()
    }
    return json.dumps(plain, sort_keys=True)


def _all_of(statement: dict[str, Any], name: str) -> list[str]:
    if f"Not{name}" in statement:
        return ["NOT " + ",".join(sorted(map(text_of, as_list(statement[f"Not{name}"]))))]
    return [text_of(item) for item in as_list(statement.get(name))]


def _principals(statement: dict[str, Any]) -> list[str]:
    if "NotPrincipal" in statement:
        return ["NOT " + text_of(statement["NotPrincipal"])]
    principal = statement.get("Principal")
    if principal is None:
        return [""]
    if principal == "*":
        return [EVERYBODY]
    if not isinstance(principal, dict) or ("Ref" in principal or "Fn::GetAtt" in principal):
        return [text_of(principal)]
    found = []
    for kind, names in principal.items():
        for name in as_list(names):
            found.append(EVERYBODY if name == "*" and kind == "AWS" else f"{text_of(name)}")
    return found or [""]


def _of_permission(properties: dict[str, Any]) -> Grant:
    principal = text_of(properties.get("Principal", ""))
    conditions = {
        name: text_of(properties[name])
        for name in ("SourceArn", "SourceAccount", "PrincipalOrgID", "FunctionUrlAuthType", "EventSourceToken")
        if name in properties
    }
    return Grant(
        effect="Allow",
        principal=EVERYBODY if principal == "*" else principal,
        action=text_of(properties.get("Action", "lambda:InvokeFunction")),
        resource="*",
        condition=json.dumps(conditions, sort_keys=True) if conditions else "",
    )


def _name(value: Any) -> str:
    """The logical id that a value refers to, or the value itself as text."""
    if isinstance(value, dict):
        if isinstance(value.get("Ref"), str):
            return str(value["Ref"])
        attribute = value.get("Fn::GetAtt")
        if attribute:
            return str(attribute[0] if isinstance(attribute, list) else str(attribute).partition(".")[0])
    return text_of(value)


def _matches(pattern: str, text: str) -> bool:
    if pattern == text or pattern in ("*", EVERYBODY):
        return True
    # `${…}` of a reference is literal text, the rest may contain wildcards.
    return not pattern.startswith("NOT ") and bool(_compiled(pattern).fullmatch(text))


@lru_cache(maxsize=10_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.compile("".join(parts), re.DOTALL)


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}…"
