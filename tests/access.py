"""Roles and resource policies for what a test makes in the embedded AWS, each with the statements that it needs."""

from __future__ import annotations

import json
from typing import Any

from cdk_rehearsal.embedded_aws import EmbeddedAws

Statement = dict[str, Any]

EVERYTHING: Statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
"""For tests of the emulator in which nobody is to be denied."""


def allow(*actions: str, on: str | list[str] = "*", **elements: Any) -> Statement:
    """
    Args:
        on: a resource's ARN, or several.
        elements: the statement's other elements, such as `Condition`.
    """
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **elements}


def deny(*actions: str, on: str | list[str] = "*", **elements: Any) -> Statement:
    return {**allow(*actions, on=on, **elements), "Effect": "Deny"}


def policy(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def make_role(aws: EmbeddedAws, name: str, *statements: Statement, trusts: str | list[str]) -> str:
    """Makes a role, or gives the role of this name these statements instead of its own; returns its ARN.

    Args:
        trusts: the service, or the services, that may assume it.
    """
    iam = aws.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}
    try:
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=policy(trust))
        for present in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=present)
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="statements", PolicyDocument=policy(*statements))
    return arn


def queue_arn(aws: EmbeddedAws, url: str) -> str:
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn


def make_queue(aws: EmbeddedAws, name: str, *, takes_from: str = "") -> tuple[str, str]:
    """Makes a queue; returns its URL and its ARN.

    Args:
        takes_from: the ARN of the topic or rule that may send to it; wildcards may stand in it.
    """
    sqs = aws.client("sqs")
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = queue_arn(aws, url)
    if takes_from:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": f"{takes_from.split(':')[2]}.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnLike": {"aws:SourceArn": takes_from}},
        }
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})
    return url, arn
