"""Calls and policies at random, such as a system of topics, queues, buckets, keys, functions and jobs has them.

Each part of a statement is made to fit the call or not to fit it, so that about as many calls are allowed as denied.
What AWS refuses to store, and what iam-simulate decides otherwise than AWS's documentation, is not made;
test_independent_judge.py lists the latter.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from typing import Any

from cdk_rehearsal.permissions import Call, Policies, Principal

HOME, OTHER, THIRD = "111122223333", "444455556666", "777788889999"
REGION = "eu-west-1"

Value = str | tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Something that is called: its actions, its ARN up to the name, the name, and the condition keys it knows."""

    service: str
    actions: tuple[str, ...]
    prefix: str
    name: str
    policy: bool = False
    callers: tuple[str, ...] = ()
    keys: tuple[tuple[str, tuple[Value, ...]], ...] = ()

    def arn(self, account: str) -> str:
        return self.prefix.format(region=REGION, account=account) + self.name


_EVENTS, _ALARMS, _SNS, _S3 = (
    "events.amazonaws.com",
    "cloudwatch.amazonaws.com",
    "sns.amazonaws.com",
    "s3.amazonaws.com",
)
TARGETS = (
    Target("s3", ("GetObject", "DeleteObject"), "arn:aws:s3:::", "posts-bucket/exports/2026/part-1.json", True, (_S3,)),
    Target(
        "s3",
        ("PutObject",),
        "arn:aws:s3:::",
        "posts-bucket/models/model.tar.gz",
        True,
        ("logging.s3.amazonaws.com",),
        (("s3:x-amz-server-side-encryption", ("aws:kms", "AES256")),),
    ),
    Target(
        "s3",
        ("ListBucket",),
        "arn:aws:s3:::",
        "posts-bucket",
        True,
        (),
        (("s3:prefix", ("exports/2026", "models/")), ("s3:max-keys", ("10", "1000"))),
    ),
    Target(
        "sns", ("Publish", "GetTopicAttributes"), "arn:aws:sns:{region}:{account}:", "Alerts", True, (_EVENTS, _ALARMS)
    ),
    Target(
        "sns",
        ("Subscribe",),
        "arn:aws:sns:{region}:{account}:",
        "Alerts",
        True,
        (),
        (("sns:Protocol", ("sqs", "https")),),
    ),
    Target(
        "sqs",
        ("SendMessage", "ReceiveMessage"),
        "arn:aws:sqs:{region}:{account}:",
        "Posts-Queue",
        True,
        (_SNS, _EVENTS),
    ),
    Target(
        "kms",
        ("Decrypt", "GenerateDataKey"),
        "arn:aws:kms:{region}:{account}:key/",
        "0f5c2f7a-6d0e-4b7e-9d2e-111111111111",
        True,
        (_EVENTS, _ALARMS, _SNS, f"logs.{REGION}.amazonaws.com"),
        (
            ("kms:ViaService", (f"s3.{REGION}.amazonaws.com", f"sqs.{REGION}.amazonaws.com")),
            ("kms:EncryptionContextKeys", (("aws:sqs:arn",), ("aws:s3:arn", "department"))),
        ),
    ),
    Target(
        "kms",
        ("CreateGrant",),
        "arn:aws:kms:{region}:{account}:key/",
        "0f5c2f7a-6d0e-4b7e-9d2e-111111111111",
        True,
        (),
        (
            ("kms:GrantIsForAWSResource", ("true", "false")),
            ("kms:GrantOperations", (("Decrypt",), ("Decrypt", "CreateGrant"), ("Encrypt", "Decrypt", "DescribeKey"))),
        ),
    ),
    Target("ecr", ("GetAuthorizationToken",), "*", ""),
    Target(
        "lambda", ("InvokeFunction",), "arn:aws:lambda:{region}:{account}:function:", "Notify", True, (_EVENTS, _SNS)
    ),
    Target(
        "sagemaker",
        ("CreateTrainingJob",),
        "arn:aws:sagemaker:{region}:{account}:training-job/",
        "moderation-2026-11",
        keys=(
            ("sagemaker:InstanceTypes", (("ml.m5.xlarge",), ("ml.g5.xlarge", "ml.m5.large"))),
            ("sagemaker:NetworkIsolation", ("true", "false")),
            ("sagemaker:MaxRuntimeInSeconds", ("3600", "86400")),
        ),
    ),
    Target(
        "sagemaker",
        ("UpdateEndpoint", "InvokeEndpoint"),
        "arn:aws:sagemaker:{region}:{account}:endpoint/",
        "moderation",
    ),
    Target(
        "iam",
        ("PassRole",),
        "arn:aws:iam::{account}:role/",
        "service-role/TrainingJob",
        keys=(
            ("iam:PassedToService", ("sagemaker.amazonaws.com", "ecs-tasks.amazonaws.com")),
            ("iam:AssociatedResourceArn", (f"arn:aws:sagemaker:{REGION}:{HOME}:training-job/moderation-2026-11",)),
        ),
    ),
    Target("sts", ("AssumeRole",), "arn:aws:iam::{account}:role/", "Reader", True, ("lambda.amazonaws.com", _EVENTS)),
    Target("states", ("StartExecution",), "arn:aws:states:{region}:{account}:stateMachine:", "moderation-release"),
    Target(
        "dynamodb",
        ("GetItem", "PutItem", "Query"),
        "arn:aws:dynamodb:{region}:{account}:table/",
        "Reviews",
        True,
        (),
        (
            ("dynamodb:LeadingKeys", (("post-1",), ("post-1", "post-2"))),
            ("dynamodb:Attributes", (("id", "label"), ("text",))),
        ),
    ),
    Target("logs", ("PutLogEvents",), "arn:aws:logs:{region}:{account}:log-group:", "/jobs/training:log-stream:run-1"),
    Target(
        "ssm", ("GetParameter", "PutParameter"), "arn:aws:ssm:{region}:{account}:parameter/", "moderation/threshold"
    ),
    Target(
        "secretsmanager",
        ("GetSecretValue",),
        "arn:aws:secretsmanager:{region}:{account}:secret:",
        "slack-token-a1b2c3",
        True,
        (),
        (("secretsmanager:VersionStage", ("AWSCURRENT", "AWSPENDING")),),
    ),
    Target(
        "events",
        ("PutEvents",),
        "arn:aws:events:{region}:{account}:event-bus/",
        "releases",
        True,
        (_EVENTS,),
        (("events:detail-type", (("Model released",), ("Model rolled back", "Model released"))),),
    ),
    Target(
        "ecr",
        ("BatchGetImage", "GetDownloadUrlForLayer"),
        "arn:aws:ecr:{region}:{account}:repository/",
        "inference",
        True,
    ),
)

GLOBAL_KEYS: tuple[tuple[str, tuple[Value, ...]], ...] = (
    ("aws:SecureTransport", ("true", "false")),
    ("aws:SourceIp", ("203.0.113.7", "10.1.2.3", "2001:db8::17")),
    ("aws:CurrentTime", ("2026-11-26T12:00:00Z", "2027-03-01T00:00:00Z")),
    ("aws:EpochTime", ("1795000000", "1700000000")),
    ("aws:RequestedRegion", (REGION, "us-east-1")),
    ("aws:PrincipalOrgID", ("o-a1b2c3d4e5", "o-zzzzzzzzzz")),
    (
        "aws:PrincipalOrgPaths",
        (("o-a1b2c3d4e5/r-ab12/ou-ab12-1/",), ("o-x/r-1/ou-2/", "o-a1b2c3d4e5/r-ab12/ou-ab12-1/")),
    ),
    ("aws:TagKeys", (("team",), ("team", "cost-center"), ("owner", "stage"))),
    ("aws:CalledVia", (("athena.amazonaws.com",), ("cloudformation.amazonaws.com", "athena.amazonaws.com"))),
    ("aws:MultiFactorAuthAge", ("30", "7200")),
    ("aws:UserAgent", ("Boto3/1.42 md/Botocore", "aws-cli/2.30")),
)
SOURCE_KEYS: tuple[tuple[str, tuple[Value, ...]], ...] = (
    ("aws:SourceAccount", (HOME, OTHER)),
    ("aws:SourceArn", (f"arn:aws:sns:{REGION}:{HOME}:Alerts", f"arn:aws:events:{REGION}:{HOME}:rule/releases/Nightly")),
)
_KINDS = {
    "aws:SecureTransport": "bool",
    "kms:GrantIsForAWSResource": "bool",
    "sagemaker:NetworkIsolation": "bool",
    "aws:PrincipalIsAWSService": "bool",
    "aws:SourceIp": "ip",
    "aws:CurrentTime": "date",
    "aws:EpochTime": "date",
    "aws:MultiFactorAuthAge": "numeric",
    "s3:max-keys": "numeric",
    "sagemaker:MaxRuntimeInSeconds": "numeric",
    "aws:SourceArn": "arn",
    "aws:PrincipalArn": "arn",
    "iam:AssociatedResourceArn": "arn",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One call, the policies that apply to it, and what is special about them."""

    call: Call
    policies: Policies
    features: frozenset[str]


def generated_cases(count: int, *, seed: int) -> Iterator[Case]:
    """Make cases, the same ones for the same seed."""
    for number in range(count):
        yield _CaseMaker(random.Random(seed * 1_000_003 + number)).make()


class _CaseMaker:
    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.features: set[str] = set()

    def make(self) -> Case:
        chance = self.chance
        self.target = target = chance.choice(TARGETS)
        self.account = HOME if target.prefix == "*" or chance.random() < 0.8 else OTHER
        self.principal = self._principal()
        self.action = f"{target.service}:{chance.choice(target.actions)}"
        self.resource = target.arn(self.account)
        self.context = self._context()
        call = Call(
            principal=self.principal,
            action=self.action,
            resource=self.resource,
            resource_account=self.account,
            context=self.context,
        )
        as_service = self.principal.service is not None
        if as_service:
            self.features.add("service principal")
        elif self.principal.account != self.account:
            self.features.add("cross account")
        identity = (
            () if as_service else tuple(self._document("identity") for _ in range(chance.choice((0, 1, 1, 1, 2))))
        )
        boundary = self._limit("boundary", 0.15)
        session = None if self.principal.role_arn is None else self._limit("session policy", 0.12)
        must_have_policy = target.service == "sts" or ":key/" in target.prefix
        has_policy = target.policy and (as_service or must_have_policy or chance.random() < 0.6)
        resource = self._document("resource") if has_policy else None
        if session is not None and resource is not None and self._names_session_or_everybody(resource):
            # AWS says such a statement passes a session policy by; iam-simulate does not.
            session = None
            self.features.discard("session policy")
        policies = Policies(
            identity=identity, boundary=boundary, session=None if session is None else (session,), resource=resource
        )
        return Case(call, policies, frozenset(self.features | {f"on {target.service}"}))

    # ---- the call ----------------------------------------------------------------------------------------------------
    def _principal(self) -> Principal:
        chance = self.chance
        if self.target.callers and chance.random() < 0.3:
            return Principal(arn="", account=self.account, service=chance.choice(self.target.callers))
        account = HOME if self.account == HOME and chance.random() < 0.85 else chance.choice((HOME, OTHER))
        if self.target.prefix == "*":
            # Only then is the resource's account the caller's for the judge too.
            account = self.account
        tags = chance.choice(({}, {"team": "Alerts"}, {"team": "moderation"}, {"team": "mod*"}))
        if chance.random() < 0.15:
            self.features.add("user")
            return Principal(arn=f"arn:aws:iam::{account}:user/people/ana", account=account, tags=tags)
        role = chance.choice(("Release", "Api", "service-role/Rollback"))
        return Principal(
            arn=f"arn:aws:sts::{account}:assumed-role/{role.rsplit('/', 1)[-1]}/run-1",
            account=account,
            role_arn=f"arn:aws:iam::{account}:role/{role}",
            tags=tags,
        )

    def _context(self) -> dict[str, Value]:
        chance = self.chance
        context = {key: chance.choice(values) for key, values in self.target.keys if chance.random() < 0.8}
        context |= {key: chance.choice(values) for key, values in GLOBAL_KEYS if chance.random() < 0.5}
        if self.principal.service is not None or chance.random() < 0.1:
            context |= {key: chance.choice(values) for key, values in SOURCE_KEYS if chance.random() < 0.8}
        return {self._any_case(key): value for key, value in context.items()}

    # ---- policies ----------------------------------------------------------------------------------------------------
    def _limit(self, name: str, probability: float) -> dict[str, Any] | None:
        if self.principal.service is not None or self.chance.random() > probability:
            return None
        self.features.add(name)
        return self._document("identity")

    def _document(self, form: str) -> dict[str, Any]:
        statements = [self._statement(form) for _ in range(self.chance.choice((1, 1, 2, 3)))]
        self.features.add(f"{form} policy")
        return {"Version": "2012-10-17", "Statement": statements if len(statements) > 1 else statements[0]}

    def _statement(self, form: str) -> dict[str, Any]:
        chance = self.chance
        denies = chance.random() < 0.17
        statement: dict[str, Any] = {"Effect": "Deny" if denies else "Allow"}
        if denies:
            self.features.add("deny")
        # A deny that fits ends every case: it fits less often.
        fits = 0.6 if denies else 0.93
        if form == "resource":
            statement |= self._principal_element(chance.random() < fits, denies)
        statement |= self._action_element(chance.random() < fits)
        if not (form == "resource" and self.target.service in ("sts", "ecr")):
            statement |= self._resource_element(chance.random() < fits, form)
        conditions = self._conditions(0.55 if denies else 0.85)
        if conditions:
            statement["Condition"] = conditions
        return statement

    def _action_element(self, fits: bool) -> dict[str, Any]:
        chance, (service, name) = self.chance, self.action.split(":")
        others = ["tag:GetResources", "ec2:Describe*", f"{service}:List*Nothing", "glue:GetTable"]
        one = {
            "exact": self.action,
            "lower case": self.action.lower(),
            "service": f"{service}:*",
            "prefix": f"{service}:{name[:4]}*",
            "one character": f"{service}:{name[:-1]}?",
            "inner": f"{service}:{name[:2]}*{name[-2:]}",
            "everything": "*",
        }
        kind = chance.choice(list(one))
        if chance.random() < 0.12:
            self.features.add("NotAction")
            return {"NotAction": chance.sample(others, 2) + ([] if fits else [one[kind]])}
        if kind != "exact":
            self.features.add("action pattern")
        if not fits:
            return {"Action": chance.sample(others, 2)}
        return {"Action": one[kind] if chance.random() < 0.6 else [chance.choice(others), one[kind]]}

    def _resource_element(self, fits: bool, form: str) -> dict[str, Any]:
        chance, arn = self.chance, self.resource
        if form == "resource" and self.target.service == "kms":
            return {"Resource": "*"}
        other = f"arn:aws:sqs:{REGION}:{HOME}:Another"
        if arn == "*":
            return {"Resource": "*" if fits else other}
        prefix = self.target.prefix.format(region=REGION, account=self.account)
        name = self.target.name
        # iam-simulate takes the colon and the slash in a variable for those of the ARN, where no type comes before it.
        typed = prefix.endswith(("/", ":function:", ":stateMachine:", ":log-group:", ":secret:", ":::"))
        fitting = {
            "exact": arn,
            "everything": "*",
            "resource pattern": f"{prefix}{name[: len(name) // 2]}*",
            "one character": f"{prefix}{name[:-2]}??",
            "other fields": self._open_fields(prefix) + name,
        }
        failing = {
            "another name": f"{prefix}{name}-2",
            "another case": prefix + name.swapcase(),
            "another region": f"arn:aws:sqs:us-east-1:{self.account}:{name}",
            "escaped wildcard": f"{prefix}${{*}}",
        }
        if typed:
            fitting["default of a variable"] = f"{prefix}${{aws:PrincipalTag/absent, '{name}'}}"
            failing["null variable"] = f"{prefix}${{aws:PrincipalTag/absent}}*"
            failing["variable"] = f"{prefix}${{aws:ResourceAccount}}/*"
            tagged = fitting if self.principal.tags.get("team") == name else failing
            tagged["variable"] = f"{prefix}${{aws:PrincipalTag/team}}"
        # Only an identity policy's is completed.
        (fitting if form == "identity" else failing)["incomplete ARN"] = ":".join(arn.split(":")[:3])
        if arn.count(":") > 5:
            # A wildcard does not reach past a colon.
            failing["past a colon"] = ":".join([*arn.split(":")[:3], "*", "*", arn.rsplit(":", 1)[1]])
        kind = chance.choice(list(fitting if fits else failing))
        if not fits and "past a colon" in failing and chance.random() < 0.3:
            kind = "past a colon"
        text = (fitting if fits else failing)[kind]
        if chance.random() < 0.12:
            self.features.add("NotResource")
            return {"NotResource": [other, arn] if not fits else chance.choice((other, [other, f"{prefix}{name}-2"]))}
        if kind != "exact":
            self.features.add(f"resource: {kind}")
        return {"Resource": text if chance.random() < 0.5 else [other, text]}

    def _open_fields(self, prefix: str) -> str:
        fields = prefix.split(":")
        for index in (3, 4):
            if fields[index] and self.chance.random() < 0.7:
                fields[index] = "*"
        return ":".join(fields)

    def _principal_element(self, fits: bool, denies: bool) -> dict[str, Any]:
        chance, principal = self.chance, self.principal
        elsewhere = f"arn:aws:iam::{THIRD}:role/Somebody"
        if principal.service is not None:
            if denies and chance.random() < 0.3:
                self.features.add("NotPrincipal")
                return {"NotPrincipal": {"Service": "ec2.amazonaws.com" if fits else principal.service}}
            if not fits:
                return {
                    "Principal": chance.choice(({"Service": "ec2.amazonaws.com"}, {"AWS": f"arn:aws:iam::{HOME}:root"}))
                }
            service = principal.service
            return {
                "Principal": chance.choice(({"Service": service}, {"Service": ["ec2.amazonaws.com", service]}, "*"))
            }
        root, role = f"arn:aws:iam::{principal.account}:root", principal.role_arn or principal.arn
        if denies and self.target.service != "sts" and chance.random() < 0.3:
            self.features.add("NotPrincipal")
            return {"NotPrincipal": {"AWS": elsewhere if fits else [root, role, principal.arn]}}
        if not fits:
            failing: tuple[Any, ...] = (
                {"AWS": elsewhere},
                {"AWS": f"arn:aws:iam::{THIRD}:root"},
                {"Service": "ec2.amazonaws.com"},
                {"AWS": f"{principal.arn}-2"},
            )
            return {"Principal": chance.choice(failing)}
        fitting: dict[str, Any] = {
            "role or user": {"AWS": role},
            "session": {"AWS": principal.arn},
            "account": {"AWS": root},
            "account number": {"AWS": principal.account},
            "everybody": "*",
            "every AWS principal": {"AWS": "*"},
            "one of several": {"AWS": [elsewhere, role], "Service": "ec2.amazonaws.com"},
        }
        kind = chance.choice(list(fitting))
        self.features.add(f"principal: {kind}")
        return {"Principal": fitting[kind]}

    def _names_session_or_everybody(self, document: dict[str, Any]) -> bool:
        statements = document["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            principal = statement.get("Principal")
            if principal == "*" or (isinstance(principal, dict) and principal.get("AWS") in ("*", self.principal.arn)):
                return True
        return False

    # ---- conditions --------------------------------------------------------------------------------------------------
    def _conditions(self, fits: float) -> dict[str, Any]:
        conditions: dict[str, Any] = {}
        known = {key.lower(): value for key, value in self.context.items()}
        derived = {"aws:principalisawsservice": "true" if self.principal.service else "false"}
        if self.principal.service is None:
            derived["aws:principalarn"] = self.principal.role_arn or self.principal.arn
            derived["aws:principalaccount"] = self.principal.account
            if "team" in self.principal.tags:
                derived["aws:principaltag/team"] = self.principal.tags["team"]
        known |= derived
        names = [key for key, _ in (*self.target.keys, *GLOBAL_KEYS, *SOURCE_KEYS)]
        names += ["aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalTag/team", "aws:PrincipalIsAWSService"]
        for _ in range(self.chance.choice((0, 0, 0, 1, 1, 2))):
            # Most conditions are about what the request has.
            present = [name for name in names if name.lower() in known]
            name = self.chance.choice(present if present and self.chance.random() < 0.8 else names)
            operation, values = self._condition(name, known.get(name.lower()), self.chance.random() < fits)
            shape = values if len(values) != 1 or self.chance.random() < 0.3 else values[0]
            conditions.setdefault(operation, {})[self._any_case(name)] = shape
        if conditions:
            self.features.add("condition")
        return conditions

    def _condition(self, name: str, actual: Value | None, fits: bool) -> tuple[str, list[str]]:
        chance = self.chance
        if actual is None:
            self.features.add("absent key")
        if chance.random() < 0.08:
            self.features.add("Null")
            return "Null", ["true" if (actual is None) == fits else "false"]
        many = isinstance(dict((*self.target.keys, *GLOBAL_KEYS)).get(name, ("",))[0], tuple)
        if many and chance.random() < 0.1:
            # Holds for no multivalued key.
            self.features.add("no set operator")
            return "StringEquals", [actual[0] if isinstance(actual, tuple) else "something"]
        if many:
            return self._set_condition(actual if isinstance(actual, tuple) else (), fits)
        kind = _KINDS.get(name, "string")
        operation, values = getattr(self, f"_{kind}_condition")(actual if isinstance(actual, str) else None, fits)
        self.features.add(operation)
        if chance.random() < 0.2:
            self.features.add("IfExists")
            operation += "IfExists"
        return operation, values

    def _set_condition(self, actual: tuple[str, ...], fits: bool) -> tuple[str, list[str]]:
        chance = self.chance
        each = chance.choice(("ForAllValues", "ForAnyValue"))
        base = chance.choice(("StringEquals", "StringLike", "StringNotEquals", "StringNotLike"))
        self.features |= {each, base}
        values = list(actual) if fits != ("Not" in base) else ["something", "else*"]
        if chance.random() < 0.4 and actual:
            values = [chance.choice(actual), "else"]
        if base.endswith("Like") and values and chance.random() < 0.5:
            values[0] = values[0][:2] + "*"
        return f"{each}:{base}", values or ["something"]

    def _string_condition(self, actual: str | None, fits: bool) -> tuple[str, list[str]]:
        chance, text = self.chance, actual or "something"
        equal = {
            "StringEquals": text,
            "StringEqualsIgnoreCase": text.swapcase(),
            "StringLike": chance.choice((f"{text[: len(text) // 2]}*", f"?{text[1:]}", text)),
        }
        operation = chance.choice(list(equal))
        value = equal[operation]
        if chance.random() < 0.2:
            self.features.add("variable in a condition")
            key = chance.choice(
                ("aws:PrincipalTag/team", "aws:PrincipalAccount", "aws:requestedregion", "aws:PrincipalTag/no")
            )
            value = f"${{{key}, '{text}'}}" if chance.random() < 0.4 else f"${{{key}}}"
        elif not fits and operation == "StringEquals":
            # Wildcards are ordinary characters here.
            value = chance.choice(("*", text[:-1] + "?", text.swapcase() + "-", text + "${*}"))
        elif not fits:
            value = "another"
        # iam-simulate has a variable without a value deny what AWS has it allow in a negated operator.
        if chance.random() < 0.3 and not value.startswith("${"):
            operation = operation.replace("String", "StringNot")
            value = "another" if fits and value == equal.get(operation.replace("Not", "")) else value
        return operation, [value] if chance.random() < 0.7 else ["neither", value]

    def _arn_condition(self, actual: str | None, fits: bool) -> tuple[str, list[str]]:
        chance = self.chance
        arn = actual or f"arn:aws:sns:{REGION}:{HOME}:Alerts"
        fields = arn.split(":", 5)
        patterns = [arn, ":".join([*fields[:3], "*", "*", fields[5][:3] + "*"]), ":".join([*fields[:5], "*"])]
        # A wildcard does not reach past a colon.
        others = [":".join([*fields[:5], fields[5] + "?"]), "arn:aws:s3:::*", arn.replace(fields[5], fields[5].upper())]
        pattern = chance.choice(patterns if fits else [*others, f"arn:aws:*:{fields[5]}"])
        operation = chance.choice(("ArnEquals", "ArnLike"))
        if fits and pattern == arn and chance.random() < 0.5:
            self.features.add("variable in a condition")
            pattern = ":".join([*fields[:5], f"${{aws:PrincipalTag/absent, '{fields[5]}'}}"])
        elif chance.random() < 0.3:
            operation, pattern = operation.replace("Arn", "ArnNot"), chance.choice(others if fits else patterns)
        return operation, [pattern] if chance.random() < 0.7 else ["arn:aws:sqs:*:*:neither", pattern]

    def _numeric_condition(self, actual: str | None, fits: bool) -> tuple[str, list[str]]:
        number = int(actual or 100)
        return self._compared("Numeric", fits, str(number - 5), str(number), str(number + 5))

    def _date_condition(self, actual: str | None, fits: bool) -> tuple[str, list[str]]:
        date = actual or "2026-11-26T12:00:00Z"
        before, after = (
            ("1600000000", "1900000000") if date.isdecimal() else ("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z")
        )
        return self._compared("Date", fits, before, date, after)

    def _compared(self, kind: str, fits: bool, less: str, equal: str, greater: str) -> tuple[str, list[str]]:
        operation, fitting, failing = self.chance.choice(
            (
                ("Equals", (equal,), (less, greater)),
                ("NotEquals", (less, greater), (equal,)),
                ("LessThan", (greater,), (equal, less)),
                ("LessThanEquals", (equal, greater), (less,)),
                ("GreaterThan", (less,), (equal, greater)),
                ("GreaterThanEquals", (equal, less), (greater,)),
            )
        )
        return kind + operation, [self.chance.choice(fitting if fits else failing)]

    def _bool_condition(self, actual: str | None, fits: bool) -> tuple[str, list[str]]:
        value = (actual == "true") == fits
        return "Bool", [self.chance.choice(("true", "True") if value else ("false", "False"))]

    def _ip_condition(self, actual: str | None, fits: bool) -> tuple[str, list[str]]:
        ranges = {"203.0.113.7": "203.0.113.0/24", "10.1.2.3": "10.0.0.0/8", "2001:db8::17": "2001:db8::/32"}
        mine = ranges.get(actual or "", "203.0.113.0/24")
        others = [value for value in ranges.values() if value != mine]
        operation = self.chance.choice(("IpAddress", "NotIpAddress"))
        inside = fits == (operation == "IpAddress")
        return operation, [self.chance.choice((mine, actual or mine))] if inside else others

    def _any_case(self, key: str) -> str:
        return self.chance.choice((key, key, key.lower()))
