"""The permissions for what AWS does asynchronously: deliver logs and alerts, use keys, open ECS Exec sessions.

Alarms, rules and subscriptions are checked although nothing triggers them here: on AWS those without permission fail
without an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cdk_rehearsal.permissions import Call, Policies, Principal, judge
from cdk_rehearsal.permissions.needs import World
from cdk_rehearsal.permissions.needs.acting import (
    ActingNeed,
    access_log_delivery_needs,
    alarm_action_needs,
    ecs_task_role_needs,
    event_source_mapping_needs,
    flow_log_role_needs,
    lambda_role_needs,
    log_group_key_needs,
    rule_target_needs,
    schedule_target_needs,
    state_machine_role_needs,
    topic_delivery_needs,
)
from cdk_rehearsal.plug_in.iam import declared_policies
from cdk_rehearsal.plug_in.iam.deployed_resources import deployed_resources
from cdk_rehearsal.plug_in.iam.permissions import Permissions

# The account of Elastic Load Balancing in this region; regions that opened before August 2022 have one.
_BALANCER_ACCOUNTS = {"us-east-1": "127311923021"}


def judge_deployed(permissions: Permissions) -> None:
    """None of these actions runs here, so missing permissions appear only in the record."""
    for kind, record in deployed_resources():
        asked = tuple(_needs(kind, record, permissions.world))
        permissions.allows_acting(asked, operation=kind)


def _needs(kind: str, record: Mapping[str, Any], world: World) -> Iterator[ActingNeed]:
    properties: Mapping[str, Any] = record["Properties"]
    physical_id: str = record["PhysicalResourceId"]
    match kind:
        case "AWS::Logs::LogGroup" if key := properties.get("KmsKeyId"):
            yield from log_group_key_needs(physical_id, key, world=world)
        case "AWS::EC2::FlowLog" if role := properties.get("DeliverLogsPermissionArn"):
            yield from flow_log_role_needs(role, properties["LogGroupName"], world=world)
        case "AWS::StepFunctions::StateMachine":
            yield from state_machine_role_needs(_as_described(physical_id, properties), world=world)
        case "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm":
            yield from alarm_action_needs({**properties, "AlarmName": physical_id}, world=world)
        case "AWS::Events::Rule":
            rule = (record.get("Attributes") or {}).get("Arn") or physical_id
            for target in properties.get("Targets", ()):
                yield from rule_target_needs(rule, target, world=world)
        case "AWS::Scheduler::Schedule":
            yield from schedule_target_needs(properties, world=world)
        case "AWS::SNS::Subscription":
            yield from topic_delivery_needs(properties, world=world)
        case "AWS::Lambda::Function" if properties.get("DeadLetterConfig"):
            yield from lambda_role_needs({**properties, "FunctionName": physical_id}, world=world)
        case "AWS::Lambda::EventSourceMapping":
            yield from event_source_mapping_needs(properties, world=world)
        case "AWS::ECS::Service" if str(properties.get("EnableExecuteCommand", False)).lower() == "true":
            definition = world.described("ecs:task-definition", properties["TaskDefinition"]) or {}
            yield from ecs_task_role_needs(definition, world=world, execute_command=True)
        case "AWS::S3::Bucket" if logging := properties.get("LoggingConfiguration"):
            key = f"{logging.get('LogFilePrefix', '')}log"
            bucket = logging["DestinationBucketName"]
            if not _takes_logs_by_acl(bucket):
                source = f"arn:{world.partition}:s3:::{physical_id}"
                yield from access_log_delivery_needs("s3", source, bucket, key, world=world)
        case "AWS::ElasticLoadBalancingV2::LoadBalancer":
            given = {each["Key"]: each["Value"] for each in properties.get("LoadBalancerAttributes", ())}
            if str(given.get("access_logs.s3.enabled", False)).lower() == "true":
                bucket = given["access_logs.s3.bucket"]
                key = f"{given.get('access_logs.s3.prefix', '')}/AWSLogs/{world.account}/log".lstrip("/")
                if not _takes_balancer_logs_by_account(bucket, key, world):
                    yield from access_log_delivery_needs("elasticloadbalancing", physical_id, bucket, key, world=world)


def _takes_logs_by_acl(bucket: str) -> bool:
    """The older way to let S3 deliver its logs, by ACL, which the CDK uses unless a feature flag is set:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    """
    return any(
        kind == "AWS::S3::Bucket"
        and record["PhysicalResourceId"] == bucket
        and record["Properties"].get("AccessControl") == "LogDeliveryWrite"
        for kind, record in deployed_resources()
    )


def _takes_balancer_logs_by_account(bucket: str, key: str, world: World) -> bool:
    """The older way for load balancers, by account, which the CDK's `log_access_logs` uses: "This legacy policy is
    still supported" (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html).
    """
    account = _BALANCER_ACCOUNTS.get(world.region)
    if account is None:
        return False
    arn = f"arn:{world.partition}:s3:::{bucket}"
    call = Call(
        principal=Principal(arn=f"arn:{world.partition}:iam::{account}:root", account=account),
        action="s3:PutObject",
        resource=f"{arn}/{key}",
        resource_account=world.account,
        context={},
    )
    return judge(call, Policies(resource=declared_policies.resource_policy(arn))).allowed


def _as_described(arn: str, machine: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a template's properties to Step Functions' API."""
    return {
        "stateMachineArn": arn,
        "roleArn": machine["RoleArn"],
        "loggingConfiguration": {"destinations": (machine.get("LoggingConfiguration") or {}).get("Destinations")},
        "tracingConfiguration": {"enabled": (machine.get("TracingConfiguration") or {}).get("Enabled")},
    }
