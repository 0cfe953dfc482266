import json
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from cdk_rehearsal.permissions import Call, Policies, PolicyDocument, Principal, judge
from tests.tools.cdk_rehearsal.permissions.generated_cases import TARGETS, Case, generated_cases
from tests.tools.cdk_rehearsal.permissions.independent_judge import PROJECT, judge_independently

HOME, OTHER = "111122223333", "444455556666"
ROLE = Principal(
    arn=f"arn:aws:sts::{HOME}:assumed-role/Release/run-1", account=HOME, role_arn=f"arn:aws:iam::{HOME}:role/Release"
)
QUEUE = f"arn:aws:sqs:eu-west-1:{HOME}:Posts"


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return list(generated_cases(1000, seed=13))


def test_every_generated_case_is_decided_as_the_independent_judge_decides_it(cases: list[Case]) -> None:
    judged = judge_independently((case.call, case.policies) for case in cases)
    assert [answer.refusal for answer in judged if answer.refusal] == []
    different = []
    for case, answer in zip(cases, judged, strict=True):
        verdict = judge(case.call, case.policies)
        ours = "Allowed" if verdict.allowed else "ExplicitlyDenied" if verdict.explicit else "ImplicitlyDenied"
        if ours != answer.result:
            different.append((ours, answer.result, verdict.reason, case))
    assert different == []


def test_the_generated_cases_are_a_healthy_mix(cases: list[Case]) -> None:
    verdicts = [judge(case.call, case.policies) for case in cases]
    allowed = sum(verdict.allowed for verdict in verdicts) / len(cases)
    assert 0.25 <= allowed <= 0.75
    assert sum(verdict.explicit for verdict in verdicts) / len(cases) >= 0.05
    assert {verdict.where for verdict in verdicts if verdict.allowed} == {"identity", "resource", "key", "trust"}
    by_where = Counter(verdict.where for verdict in verdicts if not verdict.allowed)
    assert {where for where, count in by_where.items() if count >= 10} >= {
        "identity", "boundary", "session", "resource", "key", "trust",
    }  # fmt: skip

    counts = Counter(feature for case in cases for feature in case.features)
    compared = ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
    features = {
        *(f"on {target.service}" for target in TARGETS),
        *(kind + comparison for kind in ("Numeric", "Date") for comparison in compared),
        *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        *("StringLike", "StringNotLike", "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"),
        *("Bool", "IpAddress", "NotIpAddress", "Null", "IfExists", "ForAllValues", "ForAnyValue", "absent key"),
        *("deny", "boundary", "session policy", "cross account", "service principal", "user"),
        *("NotAction", "NotResource", "NotPrincipal", "action pattern", "variable in a condition"),
        *("resource: variable", "resource: default of a variable", "resource: null variable"),
        *("resource: escaped wildcard", "resource: past a colon", "resource: incomplete ARN"),
        *("resource: other fields", "resource: another case", "no set operator"),
        *("principal: account", "principal: session", "principal: role or user", "principal: everybody"),
    }
    assert {feature: counts[feature] for feature in features if counts[feature] < 10} == {}


def allows(**elements: object) -> PolicyDocument:
    return {"Version": "2012-10-17", "Statement": {"Effect": "Allow", **elements}}


def denies(**elements: object) -> PolicyDocument:
    return {"Version": "2012-10-17", "Statement": {"Effect": "Deny", **elements}}


def both(*documents: PolicyDocument) -> PolicyDocument:
    return {"Version": "2012-10-17", "Statement": [document["Statement"] for document in documents]}


def on_queue(**context: str | tuple[str, ...]) -> Call:
    given = {key.replace("__", ":"): value for key, value in context.items()}
    return Call(principal=ROLE, action="sqs:SendMessage", resource=QUEUE, resource_account=HOME, context=given)


GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
SENDING = allows(Action="sqs:SendMessage", Resource="*")
EXCEPTIONS = {
    # "Inverted condition operators like StringNotEquals or StringNotLike do match against a null value": AWS's example.
    GUIDE + "reference_policies_variables.html#policy-vars-no-value": (
        Call(
            principal=ROLE,
            action="s3:GetObject",
            resource="arn:aws:s3:::posts/1.json",
            resource_account=HOME,
            context={"s3:ExistingObjectTag/Team": "moderation"},
        ),
        Policies(
            identity=(
                allows(Action="s3:GetObject", Resource="*"),
                denies(
                    Action="s3:GetObject",
                    Resource="arn:aws:s3:::posts/*",
                    Condition={"StringNotEquals": {"s3:ExistingObjectTag/Team": "${aws:PrincipalTag/Team}"}},
                ),
            )
        ),
        False,
    ),
    # "the resource that includes a policy variable with no value will not match any resource": a NotResource with one
    # excepts nothing.
    GUIDE + "reference_policies_variables.html#policy-vars-no-value (NotResource)": (
        Call(principal=ROLE, action="s3:GetObject", resource="arn:aws:s3:::posts/1.json", resource_account=HOME),
        Policies(identity=(allows(Action="s3:*", NotResource="arn:aws:s3:::posts/${aws:PrincipalTag/Team}/*"),)),
        True,
    ),
    # AWS's example is sns:*:*:${aws:PrincipalTag/access-project}-…; the judge reads the key's colon as one of the ARN.
    GUIDE + "reference_policies_variables.html#policy-vars-wheretouse (Resource)": (
        Call(
            principal=Principal(arn=ROLE.arn, account=HOME, tags={"access-project": "posts"}),
            action="sns:Publish",
            resource=f"arn:aws:sns:eu-west-1:{HOME}:posts-alerts",
            resource_account=HOME,
        ),
        Policies(identity=(allows(Action="sns:*", Resource="arn:aws:sns:*:*:${aws:PrincipalTag/access-project}-*"),)),
        True,
    ),
    # "You can use a policy variable for Condition values in any condition that involves the string operators or the ARN
    # operators"; the judge reads the key's colon as one of the ARN.
    GUIDE + "reference_policies_variables.html#policy-vars-wheretouse (Condition)": (
        on_queue(aws__SourceArn=f"arn:aws:sns:eu-west-1:{HOME}:Alerts"),
        Policies(
            identity=(
                allows(
                    Action="sqs:SendMessage",
                    Resource="*",
                    Condition={"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:${aws:PrincipalAccount}:*"}},
                ),
            )
        ),
        True,
    ),
    # "Permissions granted directly to a session are not limited by an implicit deny in an identity-based policy, a
    # permissions boundary, or session policy."
    GUIDE + "reference_policies_evaluation-logic_policy-eval-denyallow.html": (
        on_queue(),
        Policies(
            session=(allows(Action="s3:GetObject", Resource="*"),),
            resource=allows(Principal={"AWS": ROLE.arn}, Action="sqs:SendMessage", Resource=QUEUE),
        ),
        True,
    ),
    # "you must also specify the account ARN of the not-denied principal"; denied here, as AWS may.
    GUIDE + "reference_policies_elements_notprincipal.html": (
        on_queue(),
        Policies(
            identity=(SENDING,), resource=denies(NotPrincipal={"AWS": ROLE.role_arn}, Action="sqs:*", Resource=QUEUE)
        ),
        False,
    ),
    # "If the key is not present, evaluate the condition element as true."
    GUIDE + "reference_policies_elements_condition_operators.html#Conditions_IfExists": (
        on_queue(),
        Policies(
            identity=(
                allows(
                    Action="sqs:SendMessage",
                    Resource="*",
                    Condition={"ForAnyValue:StringEqualsIfExists": {"aws:CalledVia": "athena.amazonaws.com"}},
                ),
            )
        ),
        True,
    ),
    # "Negated matching for ARN": what is no ARN matches none.
    GUIDE + "reference_policies_elements_condition_operators.html#Conditions_ARN": (
        on_queue(aws__SourceArn=f"arn:aws:sns:eu-west-1:{HOME}:Alerts"),
        Policies(
            identity=(
                allows(
                    Action="sqs:SendMessage",
                    Resource="*",
                    Condition={"ArnNotLike": {"aws:SourceArn": "arn:aws:*:Alerts"}},
                ),
            )
        ),
        True,
    ),
    # "All IP addresses except the specified IP address or range": one of the other version is none of them.
    GUIDE + "reference_policies_elements_condition_operators.html#Conditions_IPAddress": (
        on_queue(aws__SourceIp="2001:db8::17"),
        Policies(
            identity=(
                allows(
                    Action="sqs:SendMessage",
                    Resource="*",
                    Condition={"NotIpAddress": {"aws:SourceIp": "203.0.113.7"}},
                ),
            )
        ),
        True,
    ),
    # "${$} - use where you need a $ (dollar sign) character": in any string operator.
    GUIDE + "reference_policies_variables.html#policy-vars-specialchars": (
        on_queue(aws__UserAgent="$"),
        Policies(
            identity=(
                allows(
                    Action="sqs:SendMessage",
                    Resource="*",
                    Condition={"StringEqualsIgnoreCase": {"aws:UserAgent": "${$}"}},
                ),
            )
        ),
        True,
    ),
    # "variables like ${aws:username} are treated as literal strings" where the Version is not 2012-10-17.
    GUIDE + "reference_policies_elements_version.html": (
        on_queue(),
        Policies(
            identity=(
                {
                    "Version": "2008-10-17",
                    "Statement": {
                        "Effect": "Allow",
                        "Action": "sqs:SendMessage",
                        "Resource": "*",
                        "Condition": {"StringEquals": {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}},
                    },
                },
            )
        ),
        False,
    ),
}


def test_the_exceptions_are_what_the_documentation_decides_against_the_judge() -> None:
    """Where one of them fails because the judge has come to agree, have the generator make such cases."""
    assert {page: judge(call, policies).allowed for page, (call, policies, _) in EXCEPTIONS.items()} == {
        page: allowed for page, (_, _, allowed) in EXCEPTIONS.items()
    }
    judged = judge_independently((call, policies) for call, policies, _ in EXCEPTIONS.values())
    assert [answer.refusal for answer in judged if answer.refusal] == []
    assert {page: answer.result == "Allowed" for page, answer in zip(EXCEPTIONS, judged, strict=True)} == {
        page: not allowed for page, (_, _, allowed) in EXCEPTIONS.items()
    }


JUDGE = "@cloud-copilot/iam-simulate"


def test_the_judge_is_a_tool_of_the_tests_alone() -> None:
    package = json.loads((PROJECT / "package.json").read_text())
    assert package["devDependencies"][JUDGE] == "0.1.173"
    assert package.keys().isdisjoint({"dependencies", "optionalDependencies", "bundleDependencies", "files"})
    locked = json.loads((PROJECT / "package-lock.json").read_text())["packages"]
    assert all(entry["dev"] for name, entry in locked.items() if "@cloud-copilot" in name)


@pytest.mark.parametrize("project", [".", "tools"])
def test_no_wheel_depends_on_the_judge(project: str) -> None:
    content = tomllib.loads((PROJECT / project / "pyproject.toml").read_text())["project"]
    required = [
        *content["dependencies"],
        *(name for extra in content.get("optional-dependencies", {}).values() for name in extra),
    ]
    assert required
    assert [name for name in required if "iam-simulate" in name or "cloud-copilot" in name] == []


@pytest.mark.parametrize("folder", ["constructs/cdk_fargate_sagemaker", "lambda", "tools", "stacks", "container"])
def test_nothing_that_ships_names_the_judge(folder: str) -> None:
    files = [
        path
        for path in (PROJECT / folder).rglob("*")
        if path.suffix in (".py", ".toml", ".txt", ".in", ".json", ".mjs")
    ]
    assert files
    assert [path for path in files if _names_judge(path)] == []


def _names_judge(path: Path) -> bool:
    return "cloud-copilot" in path.read_text()
