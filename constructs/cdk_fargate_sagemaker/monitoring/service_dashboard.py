"""One screen that shows a service's load, its CPU and its task count, with every threshold and every change."""

from pathlib import Path

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk_fargate_sagemaker.fargate import ScaledFargateService, SpikeScaling
from constructs import Construct


class ServiceDashboard(Construct):
    """Four widgets on one screen: requests, CPU average, CPU maximum, running tasks."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: ScaledFargateService,
        spike_scaling: SpikeScaling | None = None,
        change_log: Path | str | None = None,
        dashboard_name: str | None = None,
    ) -> None:
        super().__init__(scope, id)
        metrics = service.metrics
        self._dashboard = cloudwatch.Dashboard(
            self, "Dashboard", dashboard_name=dashboard_name, default_interval=Duration.days(1)
        )
        self._dashboard.add_widgets(
            *(
                cloudwatch.GraphWidget(title=title, left=[metric], width=12, period=Duration.minutes(1))
                for title, metric in (
                    ("Requests a minute", metrics.request_count()),
                    ("CPU average", metrics.cpu_average()),
                    ("CPU maximum", metrics.cpu_maximum()),
                    ("Running tasks", metrics.running_tasks()),
                )
            )
        )

    @property
    def dashboard(self) -> cloudwatch.Dashboard:
        """The dashboard."""
        return self._dashboard
