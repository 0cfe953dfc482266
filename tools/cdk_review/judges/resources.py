"""Flags resources that are replaced, renamed, removed, or no longer retained on deletion."""

from __future__ import annotations

from collections.abc import Iterator

from cdk_review.changes import RENEWED, Change, StackChange
from cdk_review.flag import Flag
from cdk_review.judges.flagged import flag, what

# Types with data that are lost in a replacement.
STATEFUL = {
    "AWS::Backup::BackupVault",
    "AWS::Cassandra::Table",
    "AWS::Cognito::UserPool",
    "AWS::DocDB::DBCluster",
    "AWS::DocDB::DBInstance",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::ECR::Repository",
    "AWS::EFS::FileSystem",
    "AWS::EMR::Cluster",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::Elasticsearch::Domain",
    "AWS::FSx::FileSystem",
    "AWS::Glue::Database",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::MSK::Cluster",
    "AWS::MemoryDB::Cluster",
    "AWS::Neptune::DBCluster",
    "AWS::Neptune::DBInstance",
    "AWS::OpenSearchServerless::Collection",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::RDS::GlobalCluster",
    "AWS::Redshift::Cluster",
    "AWS::RedshiftServerless::Namespace",
    "AWS::S3::Bucket",
    "AWS::S3Tables::TableBucket",
    "AWS::SQS::Queue",
    "AWS::SSM::Parameter",
    "AWS::SageMaker::FeatureGroup",
    "AWS::SecretsManager::Secret",
    "AWS::Timestream::Table",
}
# These are removed or replaced when a permission is narrowed or the CDK changes its notation; their permissions are
# checked separately.
GOES_QUIETLY = {
    "AWS::CDK::Metadata",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::Lambda::Permission",
    *RENEWED,
}
# Marked as "may be replaced" in CloudFormation's specification, but always updated in place:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/AdjustingTheMaintenanceWindow.html
CHANGED_IN_PLACE = {"AWS::RDS::DBInstance": {"PreferredMaintenanceWindow"}}


def is_stateful(resource_type: str) -> bool:
    """Whether resources of this type hold data that are lost in a replacement."""
    return resource_type in STATEFUL


def resource_flags(stack: StackChange) -> Iterator[Flag]:
    """One flag per resource that is replaced, renamed or removed, and per changed deletion policy."""
    if stack.stack_after is None:
        held = sorted(name for name, resource in stack.before.items() if is_stateful(str(resource.get("Type"))))
        yield Flag(
            kind="removed",
            severity="critical" if held else "high",
            stack=stack.path,
            logical_id=stack.path,
            sentence=f"The stack {stack.path} is removed, with {len(stack.before)} resources"
            + (f"; {len(held)} of them hold data: {', '.join(held[:5])}" if held else ""),
        )
        return
    if stack.stack_before is not None and stack.stack_before.protected and not stack.stack_after.protected:
        yield Flag(
            kind="retention",
            severity="high",
            stack=stack.path,
            logical_id=stack.path,
            sentence=f"The stack {stack.path} loses its termination protection",
        )
    for change in stack.changes:
        yield from _of_resource(change)


def _of_resource(change: Change) -> Iterator[Flag]:
    stateful = is_stateful(change.type)
    if change.after is None:
        if change.type not in GOES_QUIETLY:
            yield flag(
                change, "removed", "critical" if stateful else "high", f"{what(change)} is removed{_fate(change)}"
            )
        return
    if change.before is None:
        return
    if change.moved_to is not None and change.type not in GOES_QUIETLY:
        yield flag(
            change,
            "replaced",
            "critical" if stateful else "medium",
            f"{what(change)} moved to the logical id {change.moved_to}: CloudFormation makes a new one{_fate(change)}",
        )
    elif (
        change.replacement is not None
        and change.type not in GOES_QUIETLY
        and not (
            change.replacement.properties
            and set(change.replacement.properties) <= CHANGED_IN_PLACE.get(change.type, set())
        )
    ):
        certain = change.replacement.certain
        names = ", ".join(change.replacement.properties) or "its type"
        yield flag(
            change,
            "replaced",
            ("critical" if certain else "high") if stateful else ("high" if certain else "medium"),
            f"{what(change)} {'is' if certain else 'may be'} replaced, as {names} changes{_fate(change)}",
        )
    condition = change.after.get("Condition")
    if condition is not None and change.before.get("Condition") is None:
        yield flag(change, "removed", "medium", f"{what(change)} is now created only on the condition {condition}")
    yield from _of_policies(change, stateful=stateful)


def _of_policies(change: Change, *, stateful: bool) -> Iterator[Flag]:
    before, after = change.before or {}, change.after or {}
    for attribute, when in (("DeletionPolicy", "deleted"), ("UpdateReplacePolicy", "replaced")):
        old, new = before.get(attribute), after.get(attribute)
        keeps = {"Retain", "RetainExceptOnCreate", "Snapshot"}
        if old == new or (old not in keeps) or (new in keeps and not (old == "Retain" and new == "Snapshot")):
            continue
        yield flag(
            change,
            "retention",
            "critical" if stateful and attribute == "DeletionPolicy" else "medium",
            f"{what(change)} is no longer kept when it is {when}: {attribute} is {new or 'Delete'}, was {old}",
        )


def _fate(change: Change) -> str:
    """What happens to the old resource and its data."""
    policy = (change.before or {}).get("UpdateReplacePolicy" if change.after else "DeletionPolicy")
    if policy in ("Retain", "RetainExceptOnCreate"):
        return "; the old one stays in the account, outside the stack"
    if policy == "Snapshot":
        return "; a snapshot of the old one is kept"
    return (
        " and deletes the old one with its data"
        if is_stateful(change.type) and change.after
        else ("; its data are deleted" if is_stateful(change.type) else "")
    )
