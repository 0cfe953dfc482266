"""What outlives a stack stands in the way of the next one as it does on AWS."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws

ROLE = "arn:aws:iam::123456789012:role/workflow"
MACHINE = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
Eventually = Callable[..., Any]


class Stacks:
    def __init__(self, aws: EmbeddedAws, eventually: Eventually) -> None:
        self._formation = aws.client("cloudformation")
        self._eventually = eventually
        self.name = f"life-{uuid.uuid4().hex[:8]}"

    def create(self, **resources: Any) -> str:
        stack: str = self._formation.create_stack(
            StackName=self.name, TemplateBody=json.dumps({"Resources": resources})
        )["StackId"]
        return self._ended(stack)

    def update(self, **resources: Any) -> str:
        body = json.dumps({"Resources": resources})
        stack: str = self._formation.update_stack(StackName=self.name, TemplateBody=body)["StackId"]
        return self._ended(stack)

    def delete(self) -> str:
        (stack,) = self._formation.describe_stacks(StackName=self.name)["Stacks"]
        self._formation.delete_stack(StackName=self.name)
        return self._ended(stack["StackId"])

    def physical_id(self, resource: str) -> str:
        found: str = self._formation.describe_stack_resource(StackName=self.name, LogicalResourceId=resource)[
            "StackResourceDetail"
        ]["PhysicalResourceId"]
        return found

    def reasons(self) -> str:
        events = self._formation.describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(event.get("ResourceStatusReason", "") for event in events)

    def _ended(self, stack: str) -> str:
        def status() -> str:
            (found,) = self._formation.describe_stacks(StackName=stack)["Stacks"]
            return "" if found["StackStatus"].endswith("_IN_PROGRESS") else str(found["StackStatus"])

        ended: str = self._eventually(status)
        return ended


@pytest.fixture
def stacks(embedded_aws: EmbeddedAws, eventually: Eventually) -> Stacks:
    return Stacks(embedded_aws, eventually)


def resource(kind: str, policy: str = "Delete", **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "DeletionPolicy": policy, "UpdateReplacePolicy": policy, "Properties": properties}


def table(policy: str = "Delete", **properties: Any) -> dict[str, Any]:
    return resource(
        "AWS::DynamoDB::Table",
        policy,
        KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **properties,
    )


def test_a_bucket_that_holds_a_deleted_objects_version_is_not_deleted(
    stacks: Stacks, embedded_aws: EmbeddedAws
) -> None:
    s3 = embedded_aws.client("s3")
    stacks.create(Bucket=resource("AWS::S3::Bucket", VersioningConfiguration={"Status": "Enabled"}))
    bucket = stacks.physical_id("Bucket")
    version = s3.put_object(Bucket=bucket, Key="a", Body=b"a")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]

    assert stacks.delete() == "DELETE_FAILED"
    assert "not empty" in stacks.reasons()

    for left in (version, marker):
        s3.delete_object(Bucket=bucket, Key="a", VersionId=left)
    assert stacks.delete() == "DELETE_COMPLETE"


def test_a_bucket_has_the_tags_of_its_template_for_as_long_as_they_are_there(
    stacks: Stacks, embedded_aws: EmbeddedAws
) -> None:
    s3 = embedded_aws.client("s3")
    tags = [{"Key": "ends", "Value": "true"}]
    stacks.create(Bucket=resource("AWS::S3::Bucket", Tags=tags))
    bucket = stacks.physical_id("Bucket")
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags

    stacks.update(Bucket=resource("AWS::S3::Bucket"))
    assert stacks.physical_id("Bucket") == bucket
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)


def test_a_protected_table_is_not_deleted(stacks: Stacks, embedded_aws: EmbeddedAws) -> None:
    stacks.create(Table=table(DeletionProtectionEnabled=True))
    name = stacks.physical_id("Table")

    assert stacks.delete() == "DELETE_FAILED"
    assert "protected against deletion" in stacks.reasons()

    embedded_aws.client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
    assert stacks.delete() == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    "named",
    [
        lambda name: resource("AWS::Logs::LogGroup", "Retain", LogGroupName=name),
        lambda name: resource("AWS::SecretsManager::Secret", "Retain", Name=name),
        lambda name: resource("AWS::S3::Bucket", "Retain", BucketName=name),
        lambda name: table("Retain", TableName=name),
        lambda name: resource(
            "AWS::StepFunctions::StateMachine", "Retain", StateMachineName=name, RoleArn=ROLE, DefinitionString=MACHINE
        ),
    ],
    ids=["log group", "secret", "bucket", "table", "state machine"],
)
def test_a_fixed_name_that_is_kept_ends_the_second_life(stacks: Stacks, named: Callable[[str], Any]) -> None:
    kept = named(f"{stacks.name}-kept")
    assert stacks.create(Kept=kept) == "CREATE_COMPLETE"
    assert stacks.delete() == "DELETE_COMPLETE"

    assert stacks.create(Kept=kept) == "ROLLBACK_COMPLETE"
    # A bucket's name is refused before anything is made.
    assert "already exists" in stacks.reasons() or "Validation failed" in stacks.reasons()


def test_a_made_up_name_is_of_one_life(stacks: Stacks) -> None:
    kept = {
        "Table": table("Retain"),
        "Logs": resource("AWS::Logs::LogGroup", "Retain"),
        "Bucket": resource("AWS::S3::Bucket", "Retain"),
        "Secret": resource("AWS::SecretsManager::Secret", "Retain"),
    }
    lives = []
    for _ in range(2):
        assert stacks.create(**kept) == "CREATE_COMPLETE"
        lives.append({name: stacks.physical_id(name) for name in kept})
        assert stacks.delete() == "DELETE_COMPLETE"

    assert all(lives[0][name] != lives[1][name] for name in kept)


@pytest.mark.parametrize(("policy", "stays"), [("Retain", True), ("RetainExceptOnCreate", False)])
def test_a_failed_first_deployment_leaves_what_is_retained(
    stacks: Stacks, embedded_aws: EmbeddedAws, policy: str, stays: bool
) -> None:
    name = f"{stacks.name}-new"
    kept = resource("AWS::Logs::LogGroup", policy, LogGroupName=name)
    refused = {**resource("AWS::Logs::LogGroup", LogGroupName=name), "DependsOn": "Kept"}

    assert stacks.create(Kept=kept, Refused=refused) == "ROLLBACK_COMPLETE"

    groups = embedded_aws.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert bool(groups) is stays


def test_a_load_balancer_writes_to_its_log_bucket_at_once_and_may_be_protected(
    stacks: Stacks, embedded_aws: EmbeddedAws
) -> None:
    balancer = resource(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        Scheme="internal",
        LoadBalancerAttributes=[
            {"Key": "access_logs.s3.enabled", "Value": "true"},
            {"Key": "access_logs.s3.bucket", "Value": {"Ref": "Bucket"}},
            {"Key": "deletion_protection.enabled", "Value": "true"},
        ],
    )
    assert stacks.create(Bucket=resource("AWS::S3::Bucket"), Balancer=balancer) == "CREATE_COMPLETE"
    bucket, arn = stacks.physical_id("Bucket"), stacks.physical_id("Balancer")
    s3 = embedded_aws.client("s3")
    (written,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert written["Key"] == f"AWSLogs/{embedded_aws.account}/ELBAccessLogTestFile"

    assert stacks.delete() == "DELETE_FAILED"
    assert "deletion protection is enabled" in stacks.reasons()

    embedded_aws.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
    )
    s3.delete_object(Bucket=bucket, Key=written["Key"])
    assert stacks.delete() == "DELETE_COMPLETE"
