"""The condition keys of a request."""

from __future__ import annotations

from collections.abc import Mapping

from cdk_rehearsal.permissions.call import Call

Context = Mapping[str, str | tuple[str, ...]]
"""Values by condition key in lower case: "Key names are case-insensitive"
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html)."""


def request_context(call: Call) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys that AWS would set: those given with the call, and those that follow from principal and
    resource.

    The keys added are `aws:PrincipalArn` (for a role session the role's ARN), `aws:PrincipalAccount`,
    `aws:PrincipalType`, `aws:PrincipalTag/…`, `aws:PrincipalIsAWSService`, `aws:PrincipalServiceName`,
    `aws:ResourceAccount`, for S3 `s3:ResourceAccount` and for KMS `kms:CallerAccount`:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html and
    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html. A key without a value is omitted: AWS
    treats it as null.
    """
    principal = call.principal
    context: dict[str, str | tuple[str, ...]] = {}
    if call.resource != "*":
        context["aws:resourceaccount"] = call.resource_account
        if call.action.lower().startswith("s3:"):
            context["s3:resourceaccount"] = call.resource_account
    if principal.service is None:
        context["aws:principalarn"] = principal.role_arn or principal.arn
        context["aws:principalaccount"] = principal.account
        context["aws:principaltype"] = (
            "Account" if principal.is_root else "AssumedRole" if principal.role_arn else "User"
        )
        context["aws:principalisawsservice"] = "false"
        for key, value in principal.tags.items():
            context[f"aws:principaltag/{key}".lower()] = value
        if call.action.lower().startswith("kms:"):
            context["kms:calleraccount"] = principal.account
    else:
        context["aws:principalisawsservice"] = "true"
        context["aws:principalservicename"] = principal.service
    for key, given in call.context.items():
        context[key.lower()] = given
    return {key: value for key, value in context.items() if value not in ((), "")}
