"""The heartbeat metric of a workflow that updates an endpoint.

The endpoint's alarms do not notify during heartbeats, because the workflow reports the result of the update.
"""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from ... import _statistics as statistics

MARKS_NAMESPACE = "ModelReleases"
MARKS_METRIC = "EndpointUpdates"


def update_mark(endpoint_name: str) -> cloudwatch.Metric:
    """Heartbeats per minute: one each time that a workflow checks the endpoint that it is changing."""
    return cloudwatch.Metric(
        namespace=MARKS_NAMESPACE,
        metric_name=MARKS_METRIC,
        dimensions_map={"EndpointName": endpoint_name},
        statistic=statistics.SUM,
        period=Duration.minutes(1),
    )
