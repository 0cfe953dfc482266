"""A synthesised stack, made or updated on the embedded AWS without the `cdk` command."""

from __future__ import annotations

import json
from pathlib import Path

from cdk_rehearsal.embedded_aws import EmbeddedAws
from moderation_rehearsal.fixed_draws import fix_draws
from tests.zipped_folder import zipped

SLOW_MACHINE = {"Delay": 1, "MaxAttempts": 240}


def deploy(aws: EmbeddedAws, assembly: Path, stack: str, *, update: bool = False) -> dict[str, str]:
    """Does what the `cdk` command does with an assembly: publishes its files, then makes or updates the stack.

    Which side a post is on, and which posts a reviewer sees, is then drawn alike in every run: of a few posts, a side
    may otherwise have none with one of the labels, by chance.

    Args:
        aws: the embedded AWS.
        assembly: the folder that the app synthesised.
        stack: name of the stack.
        update: whether the stack exists.

    Returns:
        The outputs of the stack, as before if there was nothing to update.
    """
    store, formation = aws.client("s3"), aws.client("cloudformation")
    buckets = {bucket["Name"] for bucket in store.list_buckets()["Buckets"]}
    template = ""
    for asset in json.loads((assembly / f"{stack}.assets.json").read_text())["files"].values():
        (destination,) = asset["destinations"].values()
        bucket = destination["bucketName"].replace("${AWS::AccountId}", aws.account)
        bucket = bucket.replace("${AWS::Region}", aws.region)
        if bucket not in buckets:
            store.create_bucket(Bucket=bucket)
            buckets.add(bucket)
        source = assembly / asset["source"]["path"]
        body = zipped(source) if source.is_dir() else source.read_bytes()
        store.put_object(Bucket=bucket, Key=destination["objectKey"], Body=body)
        if source.name == f"{stack}.template.json":
            # A URL, since a template may be too long for the call itself.
            template = f"https://s3.{aws.region}.amazonaws.com/{bucket}/{destination['objectKey']}"
    verb = "update" if update else "create"
    try:
        getattr(formation, f"{verb}_stack")(
            StackName=stack, TemplateURL=template, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
        )
    except formation.exceptions.ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
    else:
        formation.get_waiter(f"stack_{verb}_complete").wait(StackName=stack, WaiterConfig=SLOW_MACHINE)
    fix_draws(aws.client("secretsmanager"))
    (made,) = formation.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"].removeprefix("Output"): output["OutputValue"] for output in made["Outputs"]}
