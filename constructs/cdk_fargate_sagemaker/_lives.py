"""What outlives its stack, and what each life of a stack calls its own.

A stack that is destroyed and deployed again has a second life, and so has one whose first deployment failed.
"""

from typing import Any

from aws_cdk import Aws, Fn, Names, RemovalPolicy
from constructs import Construct

from ._checks import check_kind

VENDED_STATES = "/aws/vendedlogs/states/"
"""In front of the name of a state machine's log group: CloudWatch Logs lets Step Functions write to these without a
statement of each group in the account's one resource policy, which holds 5,120 characters.
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
    """Whether a resource with this policy stays when its stack is deleted."""
    return removal_policy in (RemovalPolicy.RETAIN, RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)


def kept_from_the_start(removal_policy: RemovalPolicy) -> RemovalPolicy:
    """The policy of a resource that a rollback of the first deployment could not delete, so that it is not asked to.

    DynamoDB refuses to delete a protected table, S3 a bucket to which a load balancer has written its test object: with
    `RetainExceptOnCreate` such a rollback would fail, and take a person.
    """
    return RemovalPolicy.RETAIN if is_kept(removal_policy) else removal_policy


def name_of_this_life(scope: Construct, prefix: str) -> str:
    """A name that begins with `prefix` and that no other life of the stack has: it ends with the id of the stack.

    For what AWS demands a prefix of. Without one, CloudFormation makes names that no other life has.
    """
    path = Names.unique_resource_name(scope, max_length=_LONGEST_PATH, separator="-")
    # arn:aws:cloudformation:<region>:<account>:stack/<name>/<id>
    life = Fn.select(2, Fn.split("/", Aws.STACK_ID))
    return f"{prefix}{path}-{life}"
