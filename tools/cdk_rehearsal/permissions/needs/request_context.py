"""The condition keys that a service sets from the parameters of a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from cdk_rehearsal.permissions.needs.arns import is_arn, key_arn, sagemaker_arn
from cdk_rehearsal.permissions.needs.authorization_data import Action
from cdk_rehearsal.permissions.needs.world import World

Found = dict[str, str | tuple[str, ...]]


def request_context(
    action: Action, service: str, parameters: Mapping[str, Any], resource: str, world: World
) -> Mapping[str, str | tuple[str, ...]]:
    """The keys that the reference lists for the action: a key that AWS does not set must not satisfy a policy."""
    found: Found = {}
    if build := _OF_SERVICE.get(service):
        build(found, parameters, world)
    _tags(found, parameters)
    if resource != "*":
        for name, value in world.tags_of(resource).items():
            found[f"aws:ResourceTag/{name}"] = value
    return MappingProxyType({key: value for key, value in found.items() if action.takes(key)})


def _tags(found: Found, parameters: Mapping[str, Any]) -> None:
    given = parameters.get("Tags", parameters.get("tags"))
    if isinstance(given, Mapping):
        pairs = {str(key): str(value) for key, value in given.items()}
    elif isinstance(given, list):
        lower = [{str(key).lower(): str(value) for key, value in each.items()} for each in given]
        pairs = {each.get("key", each.get("tagkey", "")): each.get("value", each.get("tagvalue", "")) for each in lower}
    else:
        return
    for key, value in pairs.items():
        found[f"aws:RequestTag/{key}"] = value
    if pairs:
        found["aws:TagKeys"] = tuple(pairs)


def _copy(found: Found, parameters: Mapping[str, Any], names: Mapping[str, str]) -> None:
    for key, parameter in names.items():
        value = parameters.get(parameter)
        if isinstance(value, bool):
            found[key] = "true" if value else "false"
        elif value is not None:
            found[key] = str(value)


# https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
_S3_KEYS = {
    "s3:delimiter": "Delimiter",
    "s3:max-keys": "MaxKeys",
    "s3:prefix": "Prefix",
    "s3:versionid": "VersionId",
    "s3:x-amz-acl": "ACL",
    "s3:x-amz-copy-source": "CopySource",
    "s3:x-amz-grant-full-control": "GrantFullControl",
    "s3:x-amz-grant-read": "GrantRead",
    "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "s3:x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "s3:x-amz-storage-class": "StorageClass",
    "s3:x-amz-website-redirect-location": "WebsiteRedirectLocation",
    "s3:object-lock-mode": "ObjectLockMode",
}


def _s3(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    _copy(found, parameters, _S3_KEYS)


def _cloudwatch(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    _copy(found, parameters, {"cloudwatch:namespace": "Namespace"})
    if actions := parameters.get("AlarmActions"):
        found["cloudwatch:AlarmActions"] = tuple(actions)


def _application_autoscaling(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    keys = {"service-namespace": "ServiceNamespace", "scalable-dimension": "ScalableDimension"}
    _copy(found, parameters, {f"application-autoscaling:{key}": name for key, name in keys.items()})


def _ecs(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    cluster = parameters.get("cluster", "default")
    whole = f"arn:{world.partition}:ecs:{world.region}:{world.account}:cluster/{cluster}"
    found["ecs:cluster"] = cluster if is_arn(cluster) else whole
    _copy(found, parameters, {"ecs:enable-execute-command": "enableExecuteCommand", "ecs:task-cpu": "cpu"})
    _copy(found, parameters, {"ecs:task-definition": "taskDefinition", "ecs:task-memory": "memory"})


def _kms(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    found.update(encryption_context(parameters.get("EncryptionContext", {})))
    if operations := parameters.get("Operations"):
        found["kms:GrantOperations"] = tuple(operations)
        found["kms:GrantIsForAWSResource"] = "false"
    _copy(found, parameters, {"kms:GranteePrincipal": "GranteePrincipal", "kms:RetiringPrincipal": "RetiringPrincipal"})
    _copy(found, parameters, {"kms:EncryptionAlgorithm": "EncryptionAlgorithm"})
    found["kms:CallerAccount"] = world.account
    key = str(parameters.get("KeyId", ""))
    if "alias/" in key:
        found["kms:RequestAlias"] = key[key.index("alias/") :]


def encryption_context(pairs: Mapping[str, str]) -> Found:
    found: Found = {f"kms:EncryptionContext:{name}": value for name, value in pairs.items()}
    if pairs:
        found["kms:EncryptionContextKeys"] = tuple(pairs)
    return found


def _secretsmanager(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    _copy(found, parameters, {"secretsmanager:SecretId": "SecretId", "secretsmanager:VersionId": "VersionId"})
    _copy(found, parameters, {"secretsmanager:VersionStage": "VersionStage"})


def _ssm(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    _copy(found, parameters, {"ssm:Overwrite": "Overwrite", "ssm:Recursive": "Recursive"})


def _sns(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    _copy(found, parameters, {"sns:Protocol": "Protocol", "sns:Endpoint": "Endpoint"})


def _events(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    if targets := parameters.get("Targets"):
        found["events:TargetArn"] = tuple(target["Arn"] for target in targets if "Arn" in target)
    _copy(found, parameters, {"events:source": "Source", "events:detail-type": "DetailType"})


def _sagemaker(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/security_iam_id-based-policy-examples.html"""
    variants = parameters.get("ProductionVariants", ())
    resources = parameters.get("ResourceConfig") or parameters.get("TransformResources") or {}
    cluster = (parameters.get("ProcessingResources") or {}).get("ClusterConfig", {})
    output = (
        parameters.get("OutputDataConfig")
        or parameters.get("TransformOutput")
        or parameters.get("ProcessingOutputConfig")
        or {}
    )
    kinds = [each["InstanceType"] for each in (*variants, resources, cluster) if "InstanceType" in each]
    if kinds:
        found["sagemaker:InstanceTypes"] = tuple(dict.fromkeys(kinds))
    if models := [each["ModelName"] for each in variants if "ModelName" in each]:
        found["sagemaker:ModelArn"] = tuple(sagemaker_arn(world, "model", model) for model in models)
    volume = parameters.get("KmsKeyId") or resources.get("VolumeKmsKeyId") or cluster.get("VolumeKmsKeyId")
    if volume:
        found["sagemaker:VolumeKmsKeyArn"] = key_arn(world, volume)
    if key := output.get("KmsKeyId"):
        found["sagemaker:OutputKmsKeyArn"] = key_arn(world, key)
    _copy(found, parameters, {"sagemaker:NetworkIsolation": "EnableNetworkIsolation"})
    _copy(found, parameters, {"sagemaker:InterContainerTrafficEncryption": "EnableInterContainerTrafficEncryption"})
    _copy(found, parameters, {"sagemaker:TargetModel": "TargetModel"})
    if vpc := parameters.get("VpcConfig"):
        found["sagemaker:VpcSecurityGroupIds"] = tuple(vpc.get("SecurityGroupIds", ()))
        found["sagemaker:VpcSubnets"] = tuple(vpc.get("Subnets", ()))


def _dynamodb(found: Found, parameters: Mapping[str, Any], world: World) -> None:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    if leading := _leading_keys(parameters, world):
        found["dynamodb:LeadingKeys"] = leading
    keys = {"Select": "Select", "ReturnValues": "ReturnValues", "ReturnConsumedCapacity": "ReturnConsumedCapacity"}
    _copy(found, parameters, {f"dynamodb:{key}": name for key, name in keys.items()})


def _leading_keys(parameters: Mapping[str, Any], world: World) -> tuple[str, ...]:
    """The partition keys in a call."""
    partition_key = _partition_key(parameters, world)
    if condition := parameters.get("KeyConditionExpression"):
        return _of_expression(condition, parameters, partition_key)
    keys = [parameters["Key"]] if parameters.get("Key") else []
    keys += parameters.get("Keys", [])
    if partition_key and parameters.get("Item"):  # only the table defines which attribute of an item is the key
        keys.append(parameters["Item"])
    leading = (_text(key[name]) for key in keys if (name := partition_key or next(iter(key))) in key)
    return tuple(dict.fromkeys(leading))


def _partition_key(parameters: Mapping[str, Any], world: World) -> str | None:
    name = parameters.get("TableName")
    table = world.described("dynamodb:table", name) if name else None
    if table is None and is_arn(name):
        table = world.described("dynamodb:table", str(name).rpartition("/")[2])
    if table is None:
        return None
    schema = table.get("KeySchema", ())
    for index in (*table.get("GlobalSecondaryIndexes", ()), *table.get("LocalSecondaryIndexes", ())):
        if index.get("IndexName") == parameters.get("IndexName"):
            schema = index["KeySchema"]
    return next((each["AttributeName"] for each in schema if each["KeyType"] == "HASH"), None)


_EQUALITY = re.compile(r"([#\w.]+)\s*=\s*(:\w+)")


def _of_expression(condition: str, parameters: Mapping[str, Any], partition_key: str | None) -> tuple[str, ...]:
    names = parameters.get("ExpressionAttributeNames", {})
    values = parameters.get("ExpressionAttributeValues", {})
    for name, value in _EQUALITY.findall(condition):
        if partition_key in (None, names.get(name, name)) and value in values:
            return (_text(values[value]),)
    return ()


def _text(value: Any) -> str:
    """The value of an attribute `{"S": "text"}`."""
    return str(next(iter(value.values()))) if isinstance(value, Mapping) and value else str(value)


_OF_SERVICE: Mapping[str, Callable[[Found, Mapping[str, Any], World], None]] = MappingProxyType(
    {
        "application-autoscaling": _application_autoscaling,
        "cloudwatch": _cloudwatch,
        "dynamodb": _dynamodb,
        "ecs": _ecs,
        "events": _events,
        "kms": _kms,
        "s3": _s3,
        "sagemaker": _sagemaker,
        "sagemaker-runtime": _sagemaker,
        "secretsmanager": _secretsmanager,
        "sns": _sns,
        "ssm": _ssm,
    }
)
