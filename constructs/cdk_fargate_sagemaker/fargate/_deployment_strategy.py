"""How deployments replace the tasks of a service."""

from aws_cdk import Duration
from aws_cdk import aws_ecs as ecs

from .._checks import check_duration, plain, refusal

_LONGEST_BAKE_TIME = Duration.days(1)


def check_deployment_strategy(strategy: ecs.DeploymentStrategy, bake_time: Duration | None) -> bool:
    """Returns whether deployments are blue/green; refuses other strategies, and a bake time without blue/green.

    Raises:
        InvalidArgumentError: see above.
    """
    if strategy not in (ecs.DeploymentStrategy.ROLLING, ecs.DeploymentStrategy.BLUE_GREEN):
        given = plain(strategy.name) if isinstance(strategy, ecs.DeploymentStrategy) else strategy
        raise refusal("deployment_strategy", given, "ecs.DeploymentStrategy.ROLLING or BLUE_GREEN")
    is_blue_green = strategy is ecs.DeploymentStrategy.BLUE_GREEN
    if bake_time is not None:
        # CloudFormation's limits for each duration of a deployment strategy: whole minutes, at most a day.
        check_duration("bake_time", bake_time, at_most=_LONGEST_BAKE_TIME, whole="minutes")
        if not is_blue_green:
            raise refusal("bake_time", bake_time, "with BLUE_GREEN only", "leave it out, rolling knows none")
    return is_blue_green
