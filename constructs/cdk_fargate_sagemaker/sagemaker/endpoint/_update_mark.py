"""The heartbeat of a workflow that updates an endpoint: the workflow reports how the update ends, so the alarms need
not.
"""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

MARKS_NAMESPACE = "ModelReleases"
MARKS_METRIC = "EndpointUpdates"


def update_mark(endpoint_name: str) -> cloudwatch.Metric:
    """Marks a minute: one for each time that a workflow looked at an endpoint which it changes."""
    return cloudwatch.Metric(
        namespace=MARKS_NAMESPACE,
        metric_name=MARKS_METRIC,
        dimensions_map={"EndpointName": endpoint_name},
        statistic=cloudwatch.Stats.SUM,
        period=Duration.minutes(1),
    )
