import aws_cdk as cdk

from stacks.settings import Settings


def removal_policy(settings: Settings) -> cdk.RemovalPolicy:
    """What becomes of data, keys and logs as their stack is deleted: `destroy` takes them along, `retain` keeps them.

    What a first deployment made that failed is deleted either way, where a rollback can.
    """
    if settings.removal_policy == "destroy":
        return cdk.RemovalPolicy.DESTROY
    return cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
