"""The mark that a workflow changes an endpoint: whatever comes of it, the workflow tells, and the alarms need not."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn

from ..._allow import allow
from ._task_states import TaskStates

_NAMESPACE = "ModelReleases"
_METRIC = "EndpointUpdates"


def update_mark(endpoint_name: str) -> cloudwatch.Metric:
    """Marks a minute: one for each time that a workflow looked at an endpoint which it changes."""
    return cloudwatch.Metric(
        namespace=_NAMESPACE,
        metric_name=_METRIC,
        dimensions_map={"EndpointName": endpoint_name},
        statistic=cloudwatch.Stats.SUM,
        period=Duration.minutes(1),
    )


def update_marked(tasks: TaskStates, endpoint_name: str, then: sfn.IChainable) -> sfn.CustomState:
    """Makes the state that sets the mark, and `then` after it, whether or not it could be set.

    An alarm that notifies as well is better than an endpoint that is left half changed.
    """
    marking = tasks.uncaught(
        "Update-Marking-Step",
        "aws-sdk:cloudwatch:putMetricData",
        {
            "Namespace": _NAMESPACE,
            "MetricData": [
                {
                    "MetricName": _METRIC,
                    "Dimensions": [{"Name": "EndpointName", "Value": endpoint_name}],
                    "Value": 1,
                }
            ],
        },
    )
    marking.add_catch(then, errors=["States.ALL"])
    marking.next(then)
    return marking


def allow_marking(role: iam.Role) -> None:
    """Lets `role` set marks."""
    only_marks: Mapping[str, Mapping[str, str]] = {"StringEquals": {"cloudwatch:namespace": _NAMESPACE}}
    allow(
        role,
        ["cloudwatch:PutMetricData"],
        "*",
        conditions=only_marks,
        wildcard_reason="PutMetricData takes no resource; the condition names the namespace.",
    )
