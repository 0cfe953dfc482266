"""Amazon Resource Names."""

from __future__ import annotations

from cdk_rehearsal.permissions.needs.world import World


def is_arn(text: object) -> bool:
    return isinstance(text, str) and text.startswith("arn:") and text.count(":") >= 5


def account_of(arn: str, world: World) -> str:
    """The account that owns the resource: from the ARN, otherwise from the account's state, otherwise this account."""
    parts = arn.split(":", 5)
    stated = parts[4] if len(parts) == 6 else ""
    return stated if stated.isdecimal() else world.owner_of(arn) or world.account


def arn(world: World, service: str, resource: str, *, region: bool = True, account: bool = True) -> str:
    where = world.region if region else ""
    whose = world.account if account else ""
    return f"arn:{world.partition}:{service}:{where}:{whose}:{resource}"


def dns_suffix(world: World) -> str:
    """The DNS suffix of the partition's regional service names, as in kms:ViaService."""
    return "amazonaws.com.cn" if world.partition == "aws-cn" else "amazonaws.com"


def bucket_arn(world: World, bucket: str) -> str:
    """The ARN for a bucket's name, or for an access point's ARN, which calls accept instead."""
    return bucket if is_arn(bucket) else arn(world, "s3", bucket, region=False, account=False)


def queue_arn(world: World, url_or_arn: str) -> str:
    """The ARN for a queue URL `https://host/123456789012/name`."""
    if is_arn(url_or_arn):
        return url_or_arn
    *_, account, name = ("", world.account, *url_or_arn.rstrip("/").split("/"))
    return f"arn:{world.partition}:sqs:{world.region}:{account if account.isdecimal() else world.account}:{name}"


def function_arn(world: World, name_or_arn: str, qualifier: str | None = None) -> str:
    """The ARN for a name, a name with a qualifier, or a full or partial ARN (`123456789012:function:name`)."""
    if is_arn(name_or_arn):
        found = name_or_arn
    elif ":function:" in name_or_arn:
        account, _, name = name_or_arn.partition(":function:")
        found = f"arn:{world.partition}:lambda:{world.region}:{account}:function:{name}"
    else:
        found = arn(world, "lambda", f"function:{name_or_arn}")
    return f"{found}:{qualifier}" if qualifier and found.count(":") == 6 else found


def table_arn(world: World, name_or_arn: str) -> str:
    return name_or_arn if is_arn(name_or_arn) else arn(world, "dynamodb", f"table/{name_or_arn}")


def key_arn(world: World, key: str) -> str:
    """The ARN for a key's id, ARN, alias or alias ARN.

    An unknown alias is not resolved: no policy on keys matches it.
    """
    name = key.rpartition(":")[2] if is_arn(key) and ":alias/" in key else key
    if is_arn(name):
        return name
    return world.arn_of("kms:key", name) or arn(world, "kms", name if name.startswith("alias/") else f"key/{name}")


def secret_arn(world: World, name_or_arn: str) -> str:
    """The full ARN, with the six random characters after the name: AWS checks it however the call names the secret."""
    known = world.arn_of("secretsmanager:secret", name_or_arn)
    if known or is_arn(name_or_arn):
        return known or name_or_arn
    return arn(world, "secretsmanager", f"secret:{name_or_arn}-000000")


def parameter_arn(world: World, name_or_arn: str) -> str:
    """The ARN has one slash between `parameter` and the name, whether or not the name begins with a slash."""
    return name_or_arn if is_arn(name_or_arn) else arn(world, "ssm", f"parameter/{name_or_arn.lstrip('/')}")


def sagemaker_arn(world: World, kind: str, name: str) -> str:
    """SageMaker's ARNs are in lower case."""
    return name if is_arn(name) else arn(world, "sagemaker", f"{kind}/{name.lower()}")


def role_arn(world: World, name_or_arn: str) -> str:
    return name_or_arn if is_arn(name_or_arn) else arn(world, "iam", f"role/{name_or_arn}", region=False)


def s3_location(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix) of `s3://bucket/key`."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
