from typing import Any

import pytest

from cdk_review.policies import Grant, grants_of


def grant(action: str, resource: str = "*", condition: str = "", principal: str = "", effect: str = "Allow") -> Grant:
    return Grant(effect=effect, principal=principal, action=action, resource=resource, condition=condition)


@pytest.mark.parametrize(
    ("wide", "narrow", "covers"),
    [
        (grant("s3:*"), grant("s3:GetObject"), True),
        (grant("S3:getobject"), grant("s3:GetObject"), True),
        (grant("s3:Get*"), grant("s3:PutObject"), False),
        (grant("s3:GetObject", "a/*"), grant("s3:GetObject", "a/b"), True),
        (grant("s3:GetObject", "a/b"), grant("s3:GetObject", "a/*"), False),
        (grant("s3:GetObject"), grant("s3:GetObject", condition="x"), True),
        (grant("s3:GetObject", condition="x"), grant("s3:GetObject"), False),
        (grant("s3:GetObject", effect="Deny"), grant("s3:GetObject"), False),
        (grant("s3:GetObject", "${Bucket.Arn}/*"), grant("s3:GetObject", "${Bucket.Arn}/a"), True),
        (grant("NOT iam:*"), grant("s3:GetObject"), False),
        (grant("NOT iam:*"), grant("NOT iam:*"), True),
    ],
)
def test_a_grant_covers_what_is_narrower(wide: Grant, narrow: Grant, covers: bool) -> None:
    assert wide.covers(narrow) is covers


def test_policies_of_a_role_count_together_wherever_they_stand() -> None:
    statement = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    inline = {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"Policies": [{"PolicyName": "a", "PolicyDocument": statement}]},
        }
    }
    attached = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
        "Policy": {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}], "PolicyDocument": statement}},
    }

    assert grants_of(inline)["Role", "identity"] == grants_of(attached)["Role", "identity"]


@pytest.mark.parametrize(
    ("old", "new", "covers"),
    [
        ({}, {"StringEquals": {"a": "1"}}, True),
        ({"StringEquals": {"a": "1"}}, {}, False),
        ({"StringEquals": {"a": ["1", "2"]}}, {"StringEquals": {"a": "1"}}, True),
        ({"StringEquals": {"a": "1"}}, {"StringEquals": {"a": ["1", "2"]}}, False),
        ({"StringEquals": {"a": "1"}}, {"StringEquals": {"a": "1", "b": "2"}, "Bool": {"c": "true"}}, True),
        ({"StringEquals": {"a": "1"}}, {"StringEquals": {"b": "1"}}, False),
        # Fewer values that must not be are more cases.
        ({"StringNotEquals": {"a": ["1", "2"]}}, {"StringNotEquals": {"a": "1"}}, False),
        ({"ForAnyValue:StringEquals": {"a": ["1", "2"]}}, {"ForAnyValue:StringEquals": {"a": "1"}}, False),
    ],
)
def test_a_condition_more_narrows(old: dict[str, Any], new: dict[str, Any], *, covers: bool) -> None:
    sides = []
    for condition in (old, new):
        statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": condition}
        document = {"Statement": [statement]}
        policy = {"Type": "AWS::IAM::Policy", "Properties": {"Roles": ["role"], "PolicyDocument": document}}
        (grant,) = grants_of({"Policy": policy})["role", "identity"]
        sides.append(grant)

    assert sides[0].covers(sides[1]) is covers
