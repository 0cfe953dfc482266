"""The CloudFormation types that ministack lacks, each created through its service's API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from cdk_rehearsal.plug_in.applicationautoscaling import ApplicationAutoScaling
from cdk_rehearsal.plug_in.aws_clients import own_client
from cdk_rehearsal.plug_in.aws_error import AwsError
from cdk_rehearsal.plug_in.json_service import service_model
from cdk_rehearsal.plug_in.ministack_adapter import cloudformation_resources, cloudformation_stacks

Properties = dict[str, Any]
Made = tuple[str, dict[str, Any]]
"""A resource's physical id and its attributes."""

_ours: set[str] = set()
"""Their handlers call back into the emulator, so they must not run on its event loop."""

Create = Callable[[str, Properties, str], Made]
Update = Callable[[str, Properties, Properties, str], Made]
Delete = Callable[[str, Properties], None]


def install(autoscaling: ApplicationAutoScaling) -> None:
    scaling = _ScalingTypes(autoscaling)
    register("AWS::ApplicationAutoScaling::ScalableTarget", scaling.put_target, scaling.delete_target)
    register(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        scaling.put_policy,
        scaling.delete_policy,
        update=scaling.update_policy,
    )
    register("AWS::EC2::EIP", _create_address, _release_address, update=_unchanged(_address_attributes))
    register("AWS::EC2::NatGateway", _create_nat_gateway, _delete_nat_gateway, update=_unchanged(_nat_attributes))
    for direction in ("Ingress", "Egress"):
        register(f"AWS::EC2::SecurityGroup{direction}", _authorize(direction), _revoke(direction))
    register("AWS::EC2::FlowLog", _create_flow_log, _delete_flow_log)
    register("AWS::CloudWatch::CompositeAlarm", _put_composite_alarm, _delete_alarm)
    register("AWS::WAFv2::WebACLAssociation", _associate_web_acl, _disassociate_web_acl)
    register("AWS::WAFv2::LoggingConfiguration", _log_web_acl, _keep_logs)
    ministacks = cloudformation_stacks.runs_on_worker_thread
    cloudformation_stacks.runs_on_worker_thread = lambda kind: kind in _ours or bool(ministacks(kind))


def resource_types() -> list[str]:
    """The types that this AWS can create: ministack's and the plug-in's."""
    return sorted(cloudformation_resources.handlers)


def register(kind: str, create: Create, delete: Delete, *, update: Update | None = None) -> None:
    """Registers a type. Without `update` a change calls `create` again, as for APIs with only a Put operation."""

    def put_anew(physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        made = create(physical_id, new, stack)
        if made[0] != physical_id:
            delete(physical_id, old)
        return made

    _ours.add(kind)
    cloudformation_resources.handlers.setdefault(
        kind, {"create": _in_words(create), "update": _in_words(update or put_anew), "delete": _in_words(delete)}
    )


def calls_back(*kinds: str) -> None:
    """Marks types of ministack whose replaced handlers call back into the emulator."""
    _ours.update(kinds)


def _in_words(handler: Callable[..., Any]) -> Callable[..., Any]:
    """ministack shows a ValueError's message as the resource's status reason."""

    def run(*arguments: Any) -> Any:
        try:
            return handler(*arguments)
        except AwsError as error:
            raise ValueError(f"{error.code}: {error.message}") from error
        except ClientError as error:
            raise ValueError(f"{error.response['Error']['Code']}: {error.response['Error']['Message']}") from error

    return run


def _unchanged(attributes: Callable[[str], dict[str, Any]]) -> Update:
    """For types that can change only their tags in place."""
    return lambda physical_id, old, new, stack: (physical_id, attributes(physical_id))


# Application Auto Scaling


class _ScalingTypes:
    def __init__(self, autoscaling: ApplicationAutoScaling) -> None:
        self._autoscaling = autoscaling

    def put_target(self, logical_id: str, properties: Properties, stack: str) -> Made:
        known = {name: value for name, value in properties.items() if name not in ("ScheduledActions", "Tags")}
        request = as_request("RegisterScalableTarget", known)
        self._autoscaling.call("RegisterScalableTarget", request)
        key = _target_key(request)
        for action in properties.get("ScheduledActions", []):
            scheduled = as_request("PutScheduledAction", {**action, **key})
            self._autoscaling.call("PutScheduledAction", scheduled)
        identity = "|".join(key[name] for name in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
        return identity, {"Id": identity}

    def delete_target(self, physical_id: str, properties: Properties) -> None:
        with _gone_already():
            self._autoscaling.call("DeregisterScalableTarget", _split_target(physical_id))

    def put_policy(self, logical_id: str, properties: Properties, stack: str) -> Made:
        given = dict(properties)
        if "ScalingTargetId" in given:
            given |= _split_target(given.pop("ScalingTargetId"))
        answer = self._autoscaling.call("PutScalingPolicy", as_request("PutScalingPolicy", given))
        return answer["PolicyARN"], {"Arn": answer["PolicyARN"]}

    def update_policy(self, physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        made = self.put_policy(physical_id, new, stack)
        if made[0] != physical_id:
            self.delete_policy(physical_id, old)
        return made

    def delete_policy(self, physical_id: str, properties: Properties) -> None:
        given = dict(properties)
        if "ScalingTargetId" in given:
            given |= _split_target(given["ScalingTargetId"])
        with _gone_already():
            self._autoscaling.call(
                "DeleteScalingPolicy", {**_target_key(given), "PolicyName": properties["PolicyName"]}
            )


def _target_key(members: Properties) -> dict[str, str]:
    return {name: members[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}


def _split_target(identity: str) -> dict[str, str]:
    resource, dimension, namespace = identity.split("|")
    return {"ServiceNamespace": namespace, "ResourceId": resource, "ScalableDimension": dimension}


def as_request(operation: str, properties: Properties, *, service: str = "application-autoscaling") -> dict[str, Any]:
    """Converts properties to the API's types: templates sometimes write numbers and booleans as strings."""
    shape = service_model(service).operation_model(operation).input_shape
    request: dict[str, Any] = _converted(shape, properties)
    return request


def _converted(shape: Shape | None, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {name: _converted(shape.members.get(name), item) for name, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_converted(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _converted(shape.value, item) for name, item in value.items()}
    if shape is not None and isinstance(value, str):
        if shape.type_name in ("integer", "long"):
            return int(value)
        if shape.type_name in ("double", "float"):
            return float(value)
        if shape.type_name == "boolean":
            return value.lower() == "true"
    return value


@contextlib.contextmanager
def _gone_already() -> Any:
    """Ignores the deletion of a resource that was deleted before."""
    try:
        yield
    except AwsError as error:
        if error.code != "ObjectNotFoundException":
            raise


# EC2


def _create_address(logical_id: str, properties: Properties, stack: str) -> Made:
    made = own_client("ec2").allocate_address(Domain="vpc", **_tags("elastic-ip", properties))
    return made["PublicIp"], {"AllocationId": made["AllocationId"], "PublicIp": made["PublicIp"]}


def _address_attributes(physical_id: str) -> dict[str, Any]:
    found = own_client("ec2").describe_addresses(PublicIps=[physical_id])["Addresses"][0]
    return {"AllocationId": found["AllocationId"], "PublicIp": physical_id}


def _release_address(physical_id: str, properties: Properties) -> None:
    ec2 = own_client("ec2")
    for address in ec2.describe_addresses(PublicIps=[physical_id])["Addresses"]:
        ec2.release_address(AllocationId=address["AllocationId"])


def _create_nat_gateway(logical_id: str, properties: Properties, stack: str) -> Made:
    names = ("SubnetId", "AllocationId", "ConnectivityType", "PrivateIpAddress")
    given = {name: properties[name] for name in names if name in properties}
    made = own_client("ec2").create_nat_gateway(**given, **_tags("natgateway", properties))["NatGateway"]
    return made["NatGatewayId"], {"NatGatewayId": made["NatGatewayId"]}


def _nat_attributes(physical_id: str) -> dict[str, Any]:
    return {"NatGatewayId": physical_id}


def _delete_nat_gateway(physical_id: str, properties: Properties) -> None:
    own_client("ec2").delete_nat_gateway(NatGatewayId=physical_id)


def _authorize(direction: str) -> Create:
    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        ec2 = own_client("ec2")
        authorize = getattr(ec2, f"authorize_security_group_{direction.lower()}")
        authorize(GroupId=properties["GroupId"], IpPermissions=[_permission(direction, properties)])
        return f"sgr-{properties['GroupId'].removeprefix('sg-')}-{logical_id}", {}

    return create


def _revoke(direction: str) -> Delete:
    def delete(physical_id: str, properties: Properties) -> None:
        ec2 = own_client("ec2")
        revoke = getattr(ec2, f"revoke_security_group_{direction.lower()}")
        try:
            revoke(GroupId=properties["GroupId"], IpPermissions=[_permission(direction, properties)])
        except ClientError as error:  # the group, with its rules, may have been deleted first
            if error.response["Error"]["Code"] not in ("InvalidGroup.NotFound", "InvalidPermission.NotFound"):
                raise

    return delete


def _permission(direction: str, properties: Properties) -> dict[str, Any]:
    permission: dict[str, Any] = {"IpProtocol": str(properties["IpProtocol"])}
    for port in ("FromPort", "ToPort"):
        if port in properties:
            permission[port] = int(properties[port])
    described = {"Description": properties["Description"]} if "Description" in properties else {}
    other = properties.get("SourceSecurityGroupId" if direction == "Ingress" else "DestinationSecurityGroupId")
    if other:
        permission["UserIdGroupPairs"] = [{"GroupId": other, **described}]
    if "CidrIp" in properties:
        permission["IpRanges"] = [{"CidrIp": properties["CidrIp"], **described}]
    if "CidrIpv6" in properties:
        permission["Ipv6Ranges"] = [{"CidrIpv6": properties["CidrIpv6"], **described}]
    prefix_list = properties.get("SourcePrefixListId") or properties.get("DestinationPrefixListId")
    if prefix_list:
        permission["PrefixListIds"] = [{"PrefixListId": prefix_list, **described}]
    return permission


def _create_flow_log(logical_id: str, properties: Properties, stack: str) -> Made:
    names = (
        "ResourceType",
        "TrafficType",
        "LogDestinationType",
        "LogDestination",
        "LogGroupName",
        "DeliverLogsPermissionArn",
        "LogFormat",
        "MaxAggregationInterval",
    )
    given = {name: properties[name] for name in names if name in properties}
    if "MaxAggregationInterval" in given:
        given["MaxAggregationInterval"] = int(given["MaxAggregationInterval"])
    made = own_client("ec2").create_flow_logs(ResourceIds=[properties["ResourceId"]], **given)
    return made["FlowLogIds"][0], {"Id": made["FlowLogIds"][0]}


def _delete_flow_log(physical_id: str, properties: Properties) -> None:
    own_client("ec2").delete_flow_logs(FlowLogIds=[physical_id])


# CloudWatch


def _put_composite_alarm(logical_id: str, properties: Properties, stack: str) -> Made:
    """Also the update, whose `logical_id` is the alarm's name: PutCompositeAlarm replaces the alarm."""
    names = (
        "AlarmRule",
        "AlarmDescription",
        "ActionsEnabled",
        "AlarmActions",
        "OKActions",
        "InsufficientDataActions",
        "ActionsSuppressor",
        "ActionsSuppressorWaitPeriod",
        "ActionsSuppressorExtensionPeriod",
    )
    given = {name: properties[name] for name in names if name in properties}
    name = properties.get("AlarmName") or (
        logical_id if logical_id.startswith(f"{stack}-") else f"{stack}-{logical_id}"
    )
    cloudwatch = own_client("cloudwatch")
    cloudwatch.put_composite_alarm(AlarmName=name, **as_request("PutCompositeAlarm", given, service="cloudwatch"))
    described = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    return name, {"Arn": described[0]["AlarmArn"]}


def _delete_alarm(physical_id: str, properties: Properties) -> None:
    own_client("cloudwatch").delete_alarms(AlarmNames=[physical_id])


def _tags(kind: str, properties: Properties) -> dict[str, Any]:
    tags = properties.get("Tags")
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


# WAF


def _associate_web_acl(logical_id: str, properties: Properties, stack: str) -> Made:
    names = ("ResourceArn", "WebACLArn")
    own_client("wafv2").associate_web_acl(**{name: properties[name] for name in names})
    return "|".join(properties[name] for name in names), {}


def _disassociate_web_acl(physical_id: str, properties: Properties) -> None:
    own_client("wafv2").disassociate_web_acl(ResourceArn=properties["ResourceArn"])


def _log_web_acl(logical_id: str, properties: Properties, stack: str) -> Made:
    """The emulator's web ACL inspects no requests and logs none. The log destination is validated as by WAF."""
    (destination,) = properties["LogDestinationConfigs"]
    group = destination.rpartition(":log-group:")[2]
    found = own_client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if not group.startswith("aws-waf-logs-") or group not in [one["logGroupName"] for one in found]:
        raise AwsError("WAFInvalidParameterException", f"{destination} is no log group of WAF's: aws-waf-logs-…")
    return properties["ResourceArn"], {}


def _keep_logs(physical_id: str, properties: Properties) -> None:
    """Deletes nothing: the log group is a separate resource."""
