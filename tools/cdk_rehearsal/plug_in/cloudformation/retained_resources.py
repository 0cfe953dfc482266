"""Retained resources block a new stack with the same names as on AWS, and protected resources are not deleted.

ministack's CloudFormation empties a bucket on deletion and does not tag it. It deletes protected tables and load
balancers, and overwrites a log group, table, secret or state machine of the same name. A stack that is deleted and
created again gets the same generated names. AWS:

- "You can only delete empty buckets. Deletion fails for buckets that have contents."
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
- "If the table has deletion protection enabled, it cannot be deleted."
  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html
- "You can't delete a load balancer if deletion protection is enabled."
  https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html
- "AWS CloudFormation generates a unique physical ID to name that resource" for each stack.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
- A load balancer writes the object ELBAccessLogTestFile into the bucket when access logs are enabled.
  https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdk_rehearsal.plug_in.aws_clients import own_client
from cdk_rehearsal.plug_in.cloudformation.resource_types import Properties, calls_back
from cdk_rehearsal.plug_in.ministack_adapter import (
    cloudformation,
    cloudformation_resources,
    dynamodb,
    elasticloadbalancingv2,
    logs,
    secretsmanager,
    stepfunctions,
)

_BUCKET = "AWS::S3::Bucket"
_TABLE = "AWS::DynamoDB::Table"
_LOAD_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_Handler = Callable[..., Any]
_Change = Callable[[_Handler], _Handler]


def install(*, account: str) -> None:
    _change(_BUCKET, "delete", lambda _: _delete_bucket)
    _change(_BUCKET, "create", lambda create: _with_tags(create, new=1))
    _change(_BUCKET, "update", lambda update: _with_tags(update, new=2))
    _change(_TABLE, "delete", lambda delete: _unless_protected(delete, dynamodb))
    _change(_LOAD_BALANCER, "delete", _unless_balancer_protected)
    for step in ("create", "update"):
        _change(_LOAD_BALANCER, step, lambda handler: _with_test_object(handler, account))
    _change(_TABLE, "create", lambda create: _unless_there(create, "TableName", lambda: dynamodb.tables))
    _change(
        "AWS::Logs::LogGroup",
        "create",
        lambda create: _unless_there(create, "LogGroupName", lambda: logs.log_groups),
    )
    _change(
        "AWS::SecretsManager::Secret",
        "create",
        lambda create: _unless_there(create, "Name", lambda: secretsmanager.secrets),
    )
    _change(
        "AWS::StepFunctions::StateMachine",
        "create",
        lambda create: _unless_there(
            create, "StateMachineName", lambda: {machine["name"] for machine in stepfunctions.state_machines.values()}
        ),
    )
    calls_back(_BUCKET, _LOAD_BALANCER)
    _name_by_life()


def _change(kind: str, step: str, change: _Change) -> None:
    handlers = dict(cloudformation_resources.handlers[kind])
    cloudformation_resources.handlers[kind] = {**handlers, step: change(handlers[step])}


def _delete_bucket(physical_id: str, properties: Properties) -> None:
    """Deletes by the API's call, which refuses a bucket with an object, a version or a delete marker."""
    s3 = own_client("s3")
    try:
        s3.delete_bucket(Bucket=physical_id)
    except s3.exceptions.NoSuchBucket:
        return
    except s3.exceptions.ClientError as error:
        raise ValueError(f"{error.response['Error']['Message']} ({error.response['Error']['Code']})") from error


def _with_tags(handler: _Handler, *, new: int) -> _Handler:
    """`new` is the index of the handler's argument with the bucket's new properties."""

    def handled(*arguments: Any) -> Any:
        made = handler(*arguments)
        s3, tags = own_client("s3"), arguments[new].get("Tags")
        if tags:
            s3.put_bucket_tagging(Bucket=made[0], Tagging={"TagSet": tags})
        else:
            s3.delete_bucket_tagging(Bucket=made[0])
        return made

    return handled


def _unless_protected(delete: _Handler, tables: Any) -> _Handler:
    def delete_unprotected(physical_id: str, properties: Properties) -> None:
        table = tables.tables.get(physical_id)
        if table is not None and _is_true(table.get("DeletionProtectionEnabled")):
            raise ValueError(
                "Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
                "protection first."
            )
        delete(physical_id, properties)

    return delete_unprotected


def _unless_balancer_protected(delete: _Handler) -> _Handler:
    def delete_unprotected(physical_id: str, properties: Properties) -> None:
        attributes = _attributes(elasticloadbalancingv2.load_balancer_attributes.get(physical_id, []))
        if _is_true(attributes.get("deletion_protection.enabled")):
            raise ValueError(
                f"Load balancer '{physical_id}' cannot be deleted because deletion protection is enabled "
                "(OperationNotPermitted)"
            )
        delete(physical_id, properties)

    return delete_unprotected


def _with_test_object(handler: _Handler, account: str) -> _Handler:
    def handled(*arguments: Any) -> Any:
        made = handler(*arguments)
        attributes = _attributes(elasticloadbalancingv2.load_balancer_attributes.get(made[0], []))
        if _is_true(attributes.get("access_logs.s3.enabled")):
            prefix = attributes.get("access_logs.s3.prefix") or ""
            key = "/".join(part for part in (prefix, "AWSLogs", account, "ELBAccessLogTestFile") if part)
            own_client("s3").put_object(Bucket=attributes["access_logs.s3.bucket"], Key=key, Body=b"")
        return made

    return handled


def _unless_there(create: _Handler, name: str, known: Callable[[], Any]) -> _Handler:
    def create_new(logical_id: str, properties: Properties, stack: str) -> Any:
        given = properties.get(name)
        if given is not None and given in known():
            raise ValueError(f"{given} already exists (AlreadyExists)")
        return create(logical_id, properties, stack)

    return create_new


def _name_by_life() -> None:
    """Generated names differ each time a stack is created: ministack derives them only from stack and logical id."""
    ministacks = cloudformation_resources.physical_name

    def named(stack_name: str, logical_id: str, **options: Any) -> Any:
        seed = cloudformation_resources.name_seed.get() if options.get("seeded", True) else ""
        life = cloudformation.stacks.get(stack_name, {}).get("StackId", "")
        token = cloudformation_resources.name_seed.set(f"{seed}{life}")
        try:
            # A name without a seed also differs per stack creation.
            return ministacks(stack_name, logical_id, **{**options, "seeded": True})
        finally:
            cloudformation_resources.name_seed.reset(token)

    cloudformation_resources.physical_name = named
    create = cloudformation_resources.handlers["AWS::Logs::LogGroup"]["create"]

    update = cloudformation_resources.handlers["AWS::Logs::LogGroup"]["update"]

    # ministack's generated name of a log group does not differ per stack creation.
    def create_named(logical_id: str, properties: Properties, stack: str) -> Any:
        return create(logical_id, {"LogGroupName": named(stack, logical_id, max_len=512), **properties}, stack)

    def update_named(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Any:
        made_up = {} if "LogGroupName" in old else {"LogGroupName": physical_id}
        return update(physical_id, {**made_up, **old}, {**made_up, **new}, *rest)

    _change("AWS::Logs::LogGroup", "create", lambda _: create_named)
    _change("AWS::Logs::LogGroup", "update", lambda _: update_named)


def _attributes(listed: list[dict[str, str]]) -> dict[str, str]:
    return {entry["Key"]: entry["Value"] for entry in listed}


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"
