"""The policies of the deployed templates, as stored by the emulator."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from cdk_rehearsal.permissions import Grant, PolicyDocument
from cdk_rehearsal.plug_in.ministack_adapter import ecr, events, iam, kms, lambda_, s3, secretsmanager, sns, sqs

# Finds a resource's policy, by the service in its ARN; returns the document and the owner's account, or None.
_RESOURCE_POLICIES: dict[str, Callable[[str], tuple[Any, str] | None]] = {
    "ecr": ecr.repository_policy_for_arn,
    "kms": kms.key_policy_for_arn,
    "lambda": lambda_.function_policy_for_arn,
    "s3": s3.bucket_policy_for_arn,
    "secretsmanager": secretsmanager.secret_policy_for_arn,
    "sns": sns.topic_policy_for_arn,
    "sqs": sqs.queue_policy_for_arn,
}


def role_of(arn: str) -> Mapping[str, Any] | None:
    """ministack's record of a role, or None if it does not exist."""
    role: Mapping[str, Any] | None = iam.roles.get(arn.rpartition("/")[2])
    return role


def trust_policy(role: Mapping[str, Any]) -> PolicyDocument:
    return _document(role["AssumeRolePolicyDocument"]) or {}


def identity_policies(role: Mapping[str, Any]) -> tuple[PolicyDocument, ...]:
    documents = [_document(raw) for raw in (role.get("InlinePolicies") or {}).values()]
    documents += [_managed(arn) for arn in role.get("AttachedPolicies") or ()]
    return tuple(document for document in documents if document is not None)


def boundary(role: Mapping[str, Any]) -> PolicyDocument | None:
    arn = role.get("PermissionsBoundary")
    return _managed(arn) or {} if arn else None


def resource_policy(resource: str) -> PolicyDocument | None:
    service = resource.split(":", 3)[2] if resource.startswith("arn:") else ""
    if service == "events":
        return _document(events.event_bus_policies.get(resource.rpartition("/")[2]))
    found = _RESOURCE_POLICIES[service](resource) if service in _RESOURCE_POLICIES else None
    return _document(found[0]) if found else None


def grants(resource: str) -> tuple[Grant, ...]:
    if ":kms:" not in resource:
        return ()
    return tuple(
        Grant(
            grantee=grant["GranteePrincipal"],
            operations=tuple(grant["Operations"]),
            encryption_context_equals=(grant.get("Constraints") or {}).get("EncryptionContextEquals"),
            encryption_context_subset=(grant.get("Constraints") or {}).get("EncryptionContextSubset"),
        )
        for grant in list(kms.grants.values())
        if grant["KeyId"] == resource
    )


def _managed(arn: str) -> PolicyDocument | None:
    policy = iam.lookup_policy(arn) or {}
    version = policy.get("Versions", {}).get(policy.get("DefaultVersionId", "v1"), {})
    return _document(version.get("Document"))


def _document(raw: Any) -> PolicyDocument | None:
    """Returns the same object for the same text, so that each document is parsed once."""
    if not raw:
        return None
    return _parsed(raw) if isinstance(raw, str) else _parsed(json.dumps(raw))


@functools.lru_cache(maxsize=1024)
def _parsed(raw: str) -> PolicyDocument:
    document: PolicyDocument = json.loads(raw)
    return document
