"""Resources that outlive their stack, and names that are unique to each life of a stack.

A stack that is destroyed and deployed again begins a second life, and so does one whose first deployment failed.
"""

from typing import Any

from aws_cdk import Aws, Fn, Names, RemovalPolicy
from constructs import Construct

from ._checks import check_kind

VENDED_STATES = "/aws/vendedlogs/states/"
"""The prefix of the name of a state machine's log group. Step Functions may write to log groups with this prefix
without a statement per group in the account's resource policy, which holds at most 5,120 characters.
https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
"""

_LONGEST_PATH = 100


def check_removal_policy(removal_policy: Any) -> None:
    """Refuses a value that is not a removal policy.

    Raises:
        InvalidArgumentError: see above.
    """
    remedy = "give cdk.RemovalPolicy.DESTROY or RETAIN"
    check_kind("removal_policy", removal_policy, RemovalPolicy, "a cdk.RemovalPolicy", remedy)


def is_kept(removal_policy: RemovalPolicy) -> bool:
    """Whether a resource with this policy is kept when its stack is deleted."""
    return removal_policy in (RemovalPolicy.RETAIN, RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)


def kept_from_the_start(removal_policy: RemovalPolicy) -> RemovalPolicy:
    """The policy for a resource that the rollback of a first deployment cannot delete: the rollback must keep it.

    DynamoDB refuses to delete a protected table, and S3 a bucket with a load balancer's test object. With
    `RetainExceptOnCreate` such a rollback would fail, and a person would have to finish it.
    """
    return RemovalPolicy.RETAIN if is_kept(removal_policy) else removal_policy


def name_of_this_life(scope: Construct, prefix: str) -> str:
    """A name that begins with `prefix` and ends with the id of the stack, so that no other life of the stack has it.

    It is for resources whose name AWS requires to have a prefix. CloudFormation makes unique names for all others.
    """
    path = Names.unique_resource_name(scope, max_length=_LONGEST_PATH, separator="-")
    # arn:aws:cloudformation:<region>:<account>:stack/<name>/<id>
    life = Fn.select(2, Fn.split("/", Aws.STACK_ID))
    return f"{prefix}{path}-{life}"
