from typing import Any

import pytest

from cdk_rehearsal.permissions import Call, Policies, PolicyDocument, Principal, judge, judge_trust

HOME, OTHER = "111122223333", "444455556666"
QUEUE = f"arn:aws:sqs:eu-west-1:{HOME}:Posts"
KEY = f"arn:aws:kms:eu-west-1:{HOME}:key/0f5c2f7a"
ROOT = f"arn:aws:iam::{HOME}:root"
ROLE = Principal(
    arn=f"arn:aws:sts::{HOME}:assumed-role/Release/run-1",
    account=HOME,
    role_arn=f"arn:aws:iam::{HOME}:role/service-role/Release",
)
ABROAD = Principal(arn=f"arn:aws:sts::{OTHER}:assumed-role/Reader/run-1", account=OTHER)
USER = Principal(arn=f"arn:aws:iam::{HOME}:user/ana", account=HOME)
EVENTS = Principal(arn="", account=HOME, service="events.amazonaws.com")


def document(*statements: dict[str, Any]) -> PolicyDocument:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: object = "sqs:*", resource: object = "*", **more: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: object = "sqs:*", resource: object = "*", **more: object) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def sending(principal: Principal = ROLE, **context: str | tuple[str, ...]) -> Call:
    return Call(
        principal=principal,
        action="sqs:SendMessage",
        resource=QUEUE,
        resource_account=HOME,
        context={key.replace("__", ":"): value for key, value in context.items()},
    )


def decrypting(principal: Principal = ROLE) -> Call:
    return Call(principal=principal, action="kms:Decrypt", resource=KEY, resource_account=HOME)


IDENTITY = (document(allow()),)
KMS_IDENTITY = (document(allow("kms:*")),)


# ---- one account -----------------------------------------------------------------------------------------------------
def test_nothing_is_allowed_by_itself() -> None:
    assert not judge(sending(), Policies()).allowed


def test_an_identity_policy_is_enough() -> None:
    assert judge(sending(), Policies(identity=IDENTITY)).allowed
    assert judge(sending(), Policies(identity=(document(allow("s3:*")), document(allow())))).allowed


@pytest.mark.parametrize("name", [ROLE.role_arn, ROLE.arn, "*"])
def test_a_resource_policy_that_names_the_caller_is_enough(name: str) -> None:
    assert judge(sending(), Policies(resource=document(allow(Principal={"AWS": name})))).allowed


@pytest.mark.parametrize("name", [ROOT, HOME])
def test_a_resource_policy_that_names_the_account_leaves_it_to_the_identity_policies(name: str) -> None:
    policy = document(allow(Principal={"AWS": name}))
    assert not judge(sending(), Policies(resource=policy)).allowed
    assert judge(sending(), Policies(resource=policy, identity=IDENTITY)).allowed


@pytest.mark.parametrize(
    "name",
    [
        f"arn:aws:iam::{HOME}:role/Release",
        f"arn:aws:sts::{HOME}:assumed-role/Release/run-2",
        f"arn:aws:iam::{OTHER}:role/service-role/Release",
        f"arn:aws:iam::{HOME}:role/*",
    ],
)
def test_a_resource_policy_names_a_role_by_its_whole_arn(name: str) -> None:
    assert not judge(sending(), Policies(resource=document(allow(Principal={"AWS": name})))).allowed


@pytest.mark.parametrize("side", ["identity", "boundary", "session", "resource"])
def test_a_deny_anywhere_wins(side: str) -> None:
    everything = document(allow(Principal="*"))
    denying = document(
        deny(Principal="*") if side == "resource" else deny(), allow(Principal="*") if side == "resource" else allow()
    )
    given: dict[str, Any] = {"identity": IDENTITY, "resource": everything}
    given[side] = denying if side in ("boundary", "resource") else (denying,)
    verdict = judge(sending(), Policies(**given))
    assert (verdict.allowed, verdict.explicit, verdict.where) == (False, True, side)


def test_a_deny_of_the_account_is_of_everybody_in_it() -> None:
    policies = Policies(identity=IDENTITY, resource=document(deny(Principal={"AWS": ROOT})))
    assert judge(sending(), policies).explicit
    abroad = Policies(identity=IDENTITY, resource=document(deny(Principal={"AWS": ROOT}), allow(Principal="*")))
    assert judge(sending(ABROAD), abroad).allowed


def test_the_statement_that_names_the_caller_most_closely_counts() -> None:
    by_account, by_role, by_session = (allow(Principal={"AWS": name}) for name in (ROOT, ROLE.role_arn, ROLE.arn))
    assert judge(sending(), Policies(resource=document(by_role, by_account))).allowed
    assert judge(sending(), Policies(resource=document(by_account, by_role))).allowed
    boundary = document(allow("s3:*"))
    for order in ((by_session, by_role), (by_role, by_session)):
        assert judge(sending(), Policies(resource=document(*order), boundary=boundary)).allowed


# ---- boundaries and session policies ---------------------------------------------------------------------------------
@pytest.mark.parametrize("limit", ["boundary", "session"])
def test_a_limit_has_to_allow_what_identity_policies_allow(limit: str) -> None:
    def limited(by: PolicyDocument) -> Policies:
        return (
            Policies(identity=IDENTITY, boundary=by)
            if limit == "boundary"
            else Policies(identity=IDENTITY, session=(by,))
        )

    assert judge(sending(), limited(document(allow("sqs:Send*")))).allowed
    verdict = judge(sending(), limited(document(allow("sqs:Receive*"))))
    assert (verdict.allowed, verdict.explicit, verdict.where) == (False, False, limit)


def test_a_limit_allows_nothing_by_itself() -> None:
    assert judge(sending(), Policies(boundary=IDENTITY[0])).where == "identity"
    assert judge(sending(), Policies(session=IDENTITY)).where == "identity"


def test_session_policies_allow_together() -> None:
    session = (document(allow("s3:*")), document(allow("sqs:*")))
    assert judge(sending(), Policies(identity=IDENTITY, session=session)).allowed
    assert not judge(sending(), Policies(identity=IDENTITY, session=())).allowed


@pytest.mark.parametrize("limit", ["boundary", "session"])
@pytest.mark.parametrize(("name", "allowed"), [(ROLE.role_arn, False), (ROLE.arn, True), ("*", True)])
def test_a_limit_limits_what_a_resource_policy_allows_to_the_role_but_not_to_the_session(
    limit: str, name: str, allowed: bool
) -> None:
    other = document(allow("s3:*"))
    resource = document(allow(Principal={"AWS": name}))
    policies = (
        Policies(resource=resource, boundary=other)
        if limit == "boundary"
        else Policies(resource=resource, session=(other,))
    )
    assert judge(sending(), policies).allowed is allowed


def test_a_limit_does_not_limit_what_a_resource_policy_allows_to_a_user() -> None:
    policies = Policies(resource=document(allow(Principal={"AWS": USER.arn})), boundary=document(allow("s3:*")))
    assert judge(sending(USER), policies).allowed


# ---- several accounts ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [f"arn:aws:iam::{OTHER}:root", OTHER, ABROAD.role_arn, ABROAD.arn, "*"])
def test_across_accounts_both_sides_must_allow(name: str) -> None:
    resource = document(allow(Principal={"AWS": name}))
    assert judge(sending(ABROAD), Policies(identity=IDENTITY, resource=resource)).allowed
    assert judge(sending(ABROAD), Policies(identity=IDENTITY)).where == "resource"
    assert judge(sending(ABROAD), Policies(resource=resource)).where == "identity"


def test_across_accounts_both_lacking_are_said() -> None:
    reason = judge(sending(ABROAD), Policies()).reason
    assert "no statement of the resource's policy" in reason
    assert "none of the identity policies" in reason


def test_a_bucket_belongs_to_the_account_that_the_call_says() -> None:
    call = Call(principal=ROLE, action="s3:GetObject", resource="arn:aws:s3:::posts/1", resource_account=OTHER)
    identity = (document(allow("s3:*")),)
    assert not judge(call, Policies(identity=identity)).allowed
    assert judge(call, Policies(identity=identity, resource=document(allow("s3:*", Principal={"AWS": HOME})))).allowed


# ---- services --------------------------------------------------------------------------------------------------------
def test_a_service_takes_a_statement_that_names_it() -> None:
    naming = document(allow(Principal={"Service": "events.amazonaws.com"}))
    assert judge(sending(EVENTS), Policies(resource=naming)).allowed
    assert judge(sending(EVENTS), Policies(resource=document(allow(Principal="*")))).allowed
    for principal in ({"Service": "sns.amazonaws.com"}, {"AWS": ROOT}, {"AWS": HOME}, {"AWS": "events.amazonaws.com"}):
        verdict = judge(sending(EVENTS), Policies(resource=document(allow(Principal=principal))))
        assert (verdict.allowed, verdict.where) == (False, "resource")
    assert not judge(sending(EVENTS), Policies()).allowed
    assert not judge(sending(), Policies(resource=naming)).allowed


def test_a_condition_on_the_source_account_wants_the_key() -> None:
    """EventBridge sends none to an encrypted topic's key: such a statement lets it in nowhere."""
    policy = document(
        allow(
            Principal={"Service": "events.amazonaws.com"},
            Condition={"StringEquals": {"aws:SourceAccount": HOME}},
            Sid="In",
        )
    )
    assert judge(sending(EVENTS, AWS__SourceAccount=HOME), Policies(resource=policy)).allowed
    verdict = judge(sending(EVENTS), Policies(resource=policy))
    assert not verdict.allowed
    assert 'statement "In" would, but its condition StringEquals aws:SourceAccount does not hold' in verdict.reason


# ---- keys ------------------------------------------------------------------------------------------------------------
def test_a_key_policy_must_allow() -> None:
    for resource in (None, document(allow("kms:*", Principal={"AWS": f"arn:aws:iam::{HOME}:role/Another"}))):
        verdict = judge(decrypting(), Policies(identity=KMS_IDENTITY, resource=resource))
        assert (verdict.allowed, verdict.where) == (False, "key")


def test_a_key_policy_may_leave_it_to_the_identity_policies() -> None:
    delegating = document(allow("kms:*", Principal={"AWS": ROOT}))
    assert judge(decrypting(), Policies(identity=KMS_IDENTITY, resource=delegating)).allowed
    assert judge(decrypting(), Policies(resource=delegating)).where == "identity"
    partly = document(allow("kms:Encrypt", Principal={"AWS": ROOT}))
    assert judge(decrypting(), Policies(identity=KMS_IDENTITY, resource=partly)).where == "key"


def test_a_key_policy_that_names_the_role_is_enough() -> None:
    assert judge(decrypting(), Policies(resource=document(allow("kms:*", Principal={"AWS": ROLE.role_arn})))).allowed


def test_a_key_policy_in_another_account_takes_both() -> None:
    resource = document(allow("kms:*", Principal={"AWS": OTHER}))
    assert judge(decrypting(ABROAD), Policies(identity=KMS_IDENTITY, resource=resource)).allowed
    assert not judge(decrypting(ABROAD), Policies(resource=resource)).allowed


def test_an_alias_and_an_action_without_a_resource_have_no_key_policy() -> None:
    for action, resource in (("kms:CreateAlias", KEY.replace("key/0f5c2f7a", "alias/posts")), ("kms:ListAliases", "*")):
        call = Call(principal=ROLE, action=action, resource=resource, resource_account=HOME)
        assert judge(call, Policies(identity=KMS_IDENTITY)).allowed


# ---- trust -----------------------------------------------------------------------------------------------------------
TARGET = f"arn:aws:iam::{HOME}:role/Target"
ASSUME = (document(allow("sts:AssumeRole")),)


def trusting(principal: object, **more: object) -> PolicyDocument:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def test_a_service_assumes_a_role_that_trusts_it() -> None:
    assert judge_trust(EVENTS, trusting({"Service": "events.amazonaws.com"}), role_arn=TARGET).allowed
    verdict = judge_trust(EVENTS, trusting({"Service": "lambda.amazonaws.com"}), role_arn=TARGET)
    assert (verdict.allowed, verdict.where) == (False, "trust")
    assert verdict.missing == {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


def test_a_trust_policy_has_conditions() -> None:
    policy = trusting({"Service": "events.amazonaws.com"}, Condition={"StringEquals": {"aws:SourceAccount": HOME}})
    assert judge_trust(EVENTS, policy, role_arn=TARGET, context={"aws:SourceAccount": HOME}).allowed
    assert not judge_trust(EVENTS, policy, role_arn=TARGET, context={"aws:SourceAccount": OTHER}).allowed
    assert not judge_trust(EVENTS, policy, role_arn=TARGET).allowed


def test_a_trust_policy_that_names_the_account_takes_an_identity_policy() -> None:
    assert judge_trust(ROLE, trusting({"AWS": ROOT}), role_arn=TARGET).where == "identity"
    assert judge_trust(ROLE, trusting({"AWS": ROOT}), role_arn=TARGET, identity=ASSUME).allowed
    assert judge_trust(ROLE, trusting({"AWS": ROLE.role_arn}), role_arn=TARGET).allowed
    assert judge_trust(ABROAD, trusting({"AWS": ABROAD.role_arn}), role_arn=TARGET).where == "identity"


def test_an_identity_policy_alone_assumes_no_role() -> None:
    verdict = judge_trust(ROLE, trusting({"Service": "ec2.amazonaws.com"}), role_arn=TARGET, identity=ASSUME)
    assert (verdict.allowed, verdict.where) == (False, "trust")


def test_another_action_of_sts_takes_a_statement_of_its_own() -> None:
    policy = trusting({"AWS": ROLE.role_arn})
    assert not judge_trust(ROLE, policy, role_arn=TARGET, action="sts:TagSession").allowed


# ---- elements --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "action", ["sqs:SendMessage", "SQS:sendmessage", "sqs:Send*", "sqs:SendMessag?", "*", "s*:*Message"]
)
def test_actions_match_in_any_case_and_with_wildcards(action: str) -> None:
    assert judge(sending(), Policies(identity=(document(allow(action)),))).allowed
    assert judge(sending(), Policies(identity=(document(allow(["s3:*", action])),))).allowed
    assert not judge(
        sending(), Policies(identity=(document({"Effect": "Allow", "NotAction": action, "Resource": "*"}),))
    ).allowed


@pytest.mark.parametrize("action", ["sqs:Send", "sqs:SendMessage?", "s3:*", "SendMessage"])
def test_an_action_is_matched_whole(action: str) -> None:
    assert not judge(sending(), Policies(identity=(document(allow(action)),))).allowed
    assert judge(
        sending(), Policies(identity=(document({"Effect": "Allow", "NotAction": action, "Resource": "*"}),))
    ).allowed


@pytest.mark.parametrize(
    "resource",
    [QUEUE, "*", f"{QUEUE[:-2]}*", "arn:aws:sqs:*:*:Posts", "arn:aws:sqs:*:*:P?sts", "arn:aws:sqs", "arn:aws:sqs:*"],
)
def test_resources_match_with_wildcards(resource: str) -> None:
    assert judge(sending(), Policies(identity=(document(allow(resource=resource)),))).allowed
    other = {"Effect": "Allow", "Action": "*", "NotResource": resource}
    assert not judge(sending(), Policies(identity=(document(other),))).allowed


@pytest.mark.parametrize(
    "resource", [QUEUE.lower(), f"{QUEUE}?", "arn:aws:*:Posts", QUEUE.replace("eu-west-1", "eu-west-2"), "arn:aws:sns"]
)
def test_resources_are_matched_whole_in_their_case_and_field_by_field(resource: str) -> None:
    assert not judge(sending(), Policies(identity=(document(allow(resource=resource)),))).allowed
    other = {"Effect": "Allow", "Action": "*", "NotResource": resource}
    assert judge(sending(), Policies(identity=(document(other),))).allowed


def test_only_identity_policies_complete_an_arn() -> None:
    assert not judge(sending(), Policies(resource=document(allow(resource="arn:aws:sqs", Principal="*")))).allowed


def test_an_action_without_a_resource_takes_every_resource() -> None:
    call = Call(principal=ROLE, action="ecr:GetAuthorizationToken", resource="*", resource_account="")
    assert judge(call, Policies(identity=(document(allow("ecr:*")),))).allowed
    assert not judge(call, Policies(identity=(document(allow("ecr:*", "arn:aws:ecr:*:*:*")),))).allowed


def test_a_variable_stands_in_the_last_field_of_a_resource() -> None:
    tagged = Principal(arn=ROLE.arn, account=HOME, role_arn=ROLE.role_arn, tags={"Queue": "Posts"})

    def allowed(principal: Principal, resource: str) -> bool:
        return judge(sending(principal), Policies(identity=(document(allow(resource=resource)),))).allowed

    assert allowed(tagged, "arn:aws:sqs:*:*:${aws:principaltag/queue}")
    assert not allowed(ROLE, "arn:aws:sqs:*:*:${aws:principaltag/queue}")
    assert allowed(ROLE, "arn:aws:sqs:*:*:${aws:PrincipalTag/Queue, 'Posts'}")
    assert not allowed(tagged, "arn:aws:sqs:*:${aws:PrincipalAccount}:Posts")
    old: PolicyDocument = {"Statement": allow(resource="arn:aws:sqs:*:*:${aws:PrincipalTag/Queue}")}
    assert not judge(sending(tagged), Policies(identity=(old,))).allowed


def test_a_deny_for_everybody_but_some_excepts_those_whose_account_is_there_too() -> None:
    def denied(*names: str, principal: Principal = ROLE) -> bool:
        resource = document({"Effect": "Deny", "NotPrincipal": {"AWS": list(names)}, "Action": "*", "Resource": "*"})
        return judge(sending(principal), Policies(identity=IDENTITY, resource=resource)).explicit

    role = str(ROLE.role_arn)
    assert not denied(role, ROOT)
    assert not denied(ROLE.arn, role, ROOT)
    assert not denied(USER.arn, HOME, principal=USER)
    assert denied(f"arn:aws:iam::{HOME}:role/Another", ROOT)
    assert denied(ROOT)
    assert denied(role)


def test_a_deny_for_everybody_but_some_denies_whoever_has_a_boundary() -> None:
    resource = document(
        {"Effect": "Deny", "NotPrincipal": {"AWS": [ROLE.role_arn, ROOT]}, "Action": "*", "Resource": "*"}
    )
    assert judge(sending(), Policies(identity=IDENTITY, resource=resource)).allowed
    assert judge(sending(), Policies(identity=IDENTITY, resource=resource, boundary=IDENTITY[0])).explicit


def test_a_deny_for_every_service_but_one() -> None:
    resource = document(
        {"Effect": "Deny", "NotPrincipal": {"Service": "events.amazonaws.com"}, "Action": "*", "Resource": "*"},
        allow(Principal="*"),
    )
    assert judge(sending(EVENTS), Policies(resource=resource)).allowed
    sns = Principal(arn="", account=HOME, service="sns.amazonaws.com")
    assert judge(sending(sns), Policies(resource=resource)).explicit


def test_conditions_are_all_to_hold() -> None:
    policies = Policies(
        identity=(
            document(
                allow(
                    Condition={
                        "Bool": {"aws:SecureTransport": "true"},
                        "StringLike": {"aws:a": "x*", "aws:b": ["y", "z"]},
                    }
                )
            ),
        )
    )
    assert judge(sending(AWS__SecureTransport="true", aws__A="x1", aws__B="z"), policies).allowed
    assert not judge(sending(aws__SecureTransport="false", aws__a="x1", aws__b="z"), policies).allowed
    assert not judge(sending(aws__SecureTransport="true", aws__a="x1", aws__b="x"), policies).allowed
    assert not judge(sending(aws__SecureTransport="true", aws__a="x1"), policies).allowed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:PrincipalArn", ROLE.role_arn),
        ("aws:PrincipalAccount", HOME),
        ("aws:PrincipalType", "AssumedRole"),
        ("aws:PrincipalIsAWSService", "false"),
        ("aws:ResourceAccount", HOME),
    ],
)
def test_the_keys_of_the_caller_are_there(key: str, value: str) -> None:
    policies = Policies(identity=(document(allow(Condition={"StringEquals": {key: value}})),))
    assert judge(sending(), policies).allowed
    given = Call(
        principal=ROLE, action="sqs:SendMessage", resource=QUEUE, resource_account=HOME, context={key.lower(): "given"}
    )
    assert not judge(given, policies).allowed


def test_the_keys_of_a_service_are_there() -> None:
    condition = {
        "Bool": {"aws:PrincipalIsAWSService": "true"},
        "StringEquals": {"aws:PrincipalServiceName": "events.amazonaws.com"},
        "Null": {"aws:PrincipalArn": "true", "aws:PrincipalAccount": "true"},
    }
    assert judge(sending(EVENTS), Policies(resource=document(allow(Principal="*", Condition=condition)))).allowed


def test_the_keys_of_a_service_s_resources_are_there() -> None:
    by_key = {"StringEquals": {"kms:CallerAccount": HOME}}
    assert judge(decrypting(), Policies(resource=document(allow("kms:*", Principal="*", Condition=by_key)))).allowed
    by_bucket = {"StringEquals": {"s3:ResourceAccount": OTHER}}
    call = Call(principal=ROLE, action="s3:GetObject", resource="arn:aws:s3:::b/k", resource_account=OTHER)
    policies = Policies(
        identity=(document(allow("s3:*")),), resource=document(allow("s3:*", Principal="*", Condition=by_bucket))
    )
    assert judge(call, policies).allowed


def test_a_key_without_values_is_no_key() -> None:
    condition = {"Null": {"aws:TagKeys": "true"}, "ForAllValues:StringEquals": {"aws:TagKeys": "a"}}
    assert judge(sending(aws__TagKeys=()), Policies(identity=(document(allow(Condition=condition)),))).allowed


def test_the_root_user_is_not_limited_by_identity_policies() -> None:
    root = Principal(arn=ROOT, account=HOME)
    assert judge(sending(root), Policies()).allowed
    assert judge(sending(root), Policies(resource=document(deny(Principal="*")))).explicit
    assert not judge(decrypting(root), Policies()).allowed
    assert judge(decrypting(root), Policies(resource=document(allow("kms:*", Principal={"AWS": ROOT})))).allowed


def test_a_policy_that_changes_is_read_again() -> None:
    changing: dict[str, Any] = {"Version": "2012-10-17", "Statement": [allow()]}
    assert judge(sending(), Policies(identity=(changing,))).allowed
    changing["Statement"].clear()
    assert not judge(sending(), Policies(identity=(changing,))).allowed


# ---- the answer ------------------------------------------------------------------------------------------------------
def test_an_allowed_call_says_what_allows_it() -> None:
    verdict = judge(sending(), Policies(identity=(document(allow(Sid="Send")),)))
    assert verdict.reason == (
        f'statement "Send" of the identity policies allows {ROLE.role_arn} to do sqs:SendMessage on {QUEUE}'
    )
    assert verdict.missing is None


def test_a_denied_call_says_which_statement_is_missing() -> None:
    verdict = judge(sending(), Policies())
    assert (
        verdict.reason
        == f"no statement of the identity policies allows {ROLE.role_arn} to do sqs:SendMessage on {QUEUE}"
    )
    assert verdict.missing == {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE}
    service = judge(sending(EVENTS), Policies())
    assert service.missing == {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
    }
    key = judge(decrypting(), Policies())
    assert key.missing == {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE.role_arn},
        "Action": "kms:Decrypt",
        "Resource": "*",
    }


def test_a_statement_that_denies_is_named() -> None:
    verdict = judge(sending(), Policies(identity=(document(allow(), deny(Sid="No")),)))
    assert verdict.reason == (
        f'statement "No" of the identity policies denies {ROLE.role_arn} to do sqs:SendMessage on {QUEUE}'
    )
    assert verdict.missing is None


# ---- what AWS would refuse -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (allow() | {"Effect": "allow"}, "Effect of statement 1 is 'allow': allowed Allow, Deny"),
        ({"Effect": "Allow", "Resource": "*"}, "statement 1 has no Action"),
        ({"Effect": "Allow", "Action": "*"}, "statement 1 has no Resource"),
        (allow(NotAction="s3:*"), "has Action and NotAction"),
        (allow(NotResource="*"), "has Resource and NotResource"),
        (allow({"Fn::Sub": "x"}), "resolve the template's functions"),
        (allow(resource=[{"Ref": "Queue"}], Sid="A"), "Resource of statement \"A\" is {'Ref': 'Queue'}"),
    ],
)
def test_fails_when_aws_refuses_an_identity_policy(statement: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Policies(identity=(document(statement),))


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (allow(), "has to have Principal or NotPrincipal"),
        (allow(Principal="*", NotPrincipal="*"), "has to have Principal or NotPrincipal"),
        (allow(NotPrincipal={"AWS": ROOT}), "allows a NotPrincipal"),
        (allow(Principal=ROOT), "Principal is 'arn:aws:iam::111122223333:root'"),
        (allow(Principal={"AWS": {"Ref": "Role"}}), "resolve the template's functions"),
    ],
)
def test_fails_when_aws_refuses_a_resource_policy(statement: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Policies(resource=document(statement))


def test_fails_when_a_call_is_none() -> None:
    for given, message in (
        ({"action": "SendMessage"}, 'action is "SendMessage"'),
        ({"action": "sqs:*"}, 'action is "sqs:\\*"'),
        ({"resource": "Posts"}, 'resource is "Posts": allowed an ARN'),
        ({"context": {"aws:SecureTransport": True}}, 'context of "aws:SecureTransport" is True: allowed a text'),
    ):
        fields: dict[str, Any] = {"action": "sqs:SendMessage", "resource": QUEUE, **given}
        with pytest.raises(ValueError, match=message):
            Call(principal=ROLE, resource_account=HOME, **fields)


def test_fails_when_a_principal_is_none() -> None:
    with pytest.raises(ValueError, match="allowed one of them"):
        Principal(arn=ROLE.arn, account=HOME, service="events.amazonaws.com")
    with pytest.raises(ValueError, match="allowed one of them"):
        Principal(arn="", account=HOME)
    with pytest.raises(ValueError, match="allowed only for a role session"):
        Principal(arn=USER.arn, account=HOME, role_arn=ROLE.role_arn)
    with pytest.raises(ValueError, match="allowed the role of"):
        Principal(arn=ROLE.arn, account=HOME, role_arn=f"arn:aws:iam::{HOME}:role/Another")


def test_a_role_without_a_path_follows_from_its_session() -> None:
    assert ABROAD.role_arn == f"arn:aws:iam::{OTHER}:role/Reader"
