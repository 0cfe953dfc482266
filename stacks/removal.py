import aws_cdk as cdk

from stacks.settings import Settings


def removal_policy(settings: Settings) -> cdk.RemovalPolicy:
    """The removal policy of data, keys and logs: with their stack, `destroy` deletes and `retain` keeps them.

    If a first deployment fails, its rollback deletes them in both cases, where it can.
    """
    if settings.removal_policy == "destroy":
        return cdk.RemovalPolicy.DESTROY
    return cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
