import pytest

from cdk_rehearsal.permissions import Call, Grant, Policies, PolicyDocument, Principal, judge

HOME, OTHER = "111122223333", "444455556666"
KEY = f"arn:aws:kms:eu-west-1:{HOME}:key/0f5c2f7a"
ROLE = Principal(arn=f"arn:aws:sts::{HOME}:assumed-role/Release/run-1", account=HOME)
SAGEMAKER = Principal(arn="", account=HOME, service="sagemaker.amazonaws.com")
CLOSED: PolicyDocument = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{HOME}:role/Admin"},
        "Action": "kms:*",
        "Resource": "*",
    },
}


def allowed(
    *grants: Grant, action: str = "kms:Decrypt", principal: Principal = ROLE, key: str = KEY, **encryption: str
) -> bool:
    call = Call(
        principal=principal,
        action=action,
        resource=key,
        resource_account=HOME,
        context={f"kms:EncryptionContext:{name}": value for name, value in encryption.items()},
    )
    return judge(call, Policies(resource=CLOSED, grants=grants)).allowed


@pytest.mark.parametrize("grantee", [ROLE.role_arn, ROLE.arn])
def test_a_grant_allows_its_operations_to_its_grantee(grantee: str) -> None:
    grant = Grant(grantee=grantee, operations=("Decrypt", "DescribeKey"))
    assert not allowed()
    assert allowed(grant)
    assert allowed(grant, action="kms:DescribeKey")
    assert not allowed(grant, action="kms:Encrypt")
    assert not allowed(grant, principal=Principal(arn=f"arn:aws:sts::{HOME}:assumed-role/Api/run-1", account=HOME))


def test_a_grant_allows_a_service() -> None:
    grant = Grant(grantee="sagemaker.amazonaws.com", operations=("Decrypt",))
    assert allowed(grant, principal=SAGEMAKER)
    assert not allowed(grant)


def test_a_grant_is_of_one_key() -> None:
    grant = Grant(grantee=str(ROLE.role_arn), operations=("Decrypt",), key_arn=KEY)
    assert allowed(grant)
    assert not allowed(grant, key=f"{KEY}b")


def test_a_constraint_wants_its_encryption_context() -> None:
    subset = Grant(grantee=str(ROLE.role_arn), operations=("Decrypt",), encryption_context_subset={"Team": "red"})
    assert allowed(subset, team="red")
    assert allowed(subset, team="red", stage="prod")
    assert not allowed(subset, team="Red")
    assert not allowed(subset)
    whole = Grant(grantee=str(ROLE.role_arn), operations=("Decrypt",), encryption_context_equals={"Team": "red"})
    assert allowed(whole, team="red")
    assert not allowed(whole, team="red", stage="prod")


def test_a_constraint_is_not_applied_where_there_is_no_encryption_context() -> None:
    grant = Grant(grantee=str(ROLE.role_arn), operations=("DescribeKey",), encryption_context_subset={"Team": "red"})
    assert allowed(grant, action="kms:DescribeKey")


def test_a_deny_wins_over_a_grant() -> None:
    call = Call(principal=ROLE, action="kms:Decrypt", resource=KEY, resource_account=HOME)
    deny: PolicyDocument = {"Statement": {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}}
    grant = Grant(grantee=str(ROLE.role_arn), operations=("Decrypt",))
    assert judge(call, Policies(resource=CLOSED, grants=(grant,))).where == "grant"
    assert judge(call, Policies(identity=(deny,), resource=CLOSED, grants=(grant,))).explicit


def test_a_boundary_limits_a_grant_to_the_role_but_not_to_the_session() -> None:
    call = Call(principal=ROLE, action="kms:Decrypt", resource=KEY, resource_account=HOME)
    boundary: PolicyDocument = {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    for grantee, expected in ((str(ROLE.role_arn), False), (ROLE.arn, True)):
        grant = Grant(grantee=grantee, operations=("Decrypt",))
        assert judge(call, Policies(resource=CLOSED, boundary=boundary, grants=(grant,))).allowed is expected


def test_a_grant_to_another_account_takes_an_identity_policy_there() -> None:
    reader = Principal(arn=f"arn:aws:sts::{OTHER}:assumed-role/Reader/run-1", account=OTHER)
    call = Call(principal=reader, action="kms:Decrypt", resource=KEY, resource_account=HOME)
    grant = Grant(grantee=str(reader.role_arn), operations=("Decrypt",))
    identity: PolicyDocument = {"Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY}}
    assert judge(call, Policies(resource=CLOSED, grants=(grant,))).where == "identity"
    assert judge(call, Policies(resource=CLOSED, grants=(grant,), identity=(identity,))).allowed
