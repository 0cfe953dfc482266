from aws_cdk import aws_ecs as ecs

from .._checks import plain, refusal
from .fargate_price import FargatePrice


def task_hour(price: FargatePrice, service: ecs.IService) -> float:
    """Computes the on-demand price of one task of a service per hour.

    Raises:
        InvalidArgumentError: the task's size is not known in this app.
    """
    definition = getattr(service, "task_definition", None)
    if not isinstance(definition, ecs.FargateTaskDefinition):
        raise refusal(
            "price",
            plain("one for a service whose task size is not known in this app"),
            "for a Fargate service that it makes",
            "leave it out",
        )
    return price.task_hour(cpu=definition.cpu, memory_mib=definition.memory_mib)
