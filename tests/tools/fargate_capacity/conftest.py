import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

_MINUTE = Duration.minutes(1)


@pytest.fixture(scope="session")
def fargate_capacity() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command as a user does."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fargate_capacity", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def write_assembly(tmp_path: Path) -> Callable[..., Path]:
    """Writes a cloud assembly of hand-written templates, one stack each."""

    def write(*templates: dict[str, Any]) -> Path:
        folder = tmp_path / "cdk.out"
        folder.mkdir()
        artifacts = {}
        for number, template in enumerate(templates):
            name = f"stack-{number}"
            (folder / f"{name}.template.json").write_text(json.dumps(template))
            artifacts[name] = {
                "type": "aws:cloudformation:stack",
                "environment": "aws://unknown-account/eu-west-1",
                "properties": {"templateFile": f"{name}.template.json"},
                "displayName": name,
            }
        (folder / "manifest.json").write_text(json.dumps({"version": "1.0.0", "artifacts": artifacts}))
        return folder

    return write


@pytest.fixture
def write_body(write_assembly: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a cloud assembly with one dashboard of these widgets."""

    def write(widgets: Sequence[Any], *, name: str = "board", **further: Any) -> Path:
        body = json.dumps({"widgets": list(widgets), **further})
        return write_assembly(
            {
                "Resources": {
                    "Board": {
                        "Type": "AWS::CloudWatch::Dashboard",
                        "Properties": {"DashboardName": name, "DashboardBody": body},
                    }
                }
            }
        )

    return write


@pytest.fixture(scope="session")
def shop_assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cloud assembly that the CDK made: two stacks, three dashboards, alarms, metric math, annotations."""
    app = App(outdir=str(tmp_path_factory.mktemp("shop") / "cdk.out"))
    stack = Stack(app, "shop")

    def requests(name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ApplicationELB",
            metric_name=name,
            dimensions_map={"LoadBalancer": "app/shop/1"},
            statistic=statistic,
            period=_MINUTE,
        )

    def cpu(statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/ECS",
            metric_name="CPUUtilization",
            dimensions_map={"ClusterName": "shop", "ServiceName": "api"},
            statistic=statistic,
            period=_MINUTE,
        )

    errors = cloudwatch.MathExpression(
        expression="100 * FILL(e, 0) / r",
        using_metrics={"e": requests("HTTPCode_Target_5XX_Count"), "r": requests("RequestCount")},
        label="5xx rate",
        period=_MINUTE,
    )
    hot = cpu("Maximum").create_alarm(stack, "Hot", threshold=85, evaluation_periods=3)
    failing = errors.create_alarm(stack, "Failing", threshold=1, evaluation_periods=5, alarm_name="shop-failing")
    changes = [
        cloudwatch.VerticalAnnotation(date="2026-11-01T10:00:00Z", label="target 50 to 51"),
        cloudwatch.VerticalAnnotation(date="2026-11-01T16:00:00Z", label="target 51 to 52"),
        cloudwatch.VerticalAnnotation(date="2026-05-01T00:00:00Z", label="first deploy"),
    ]
    board = cloudwatch.Dashboard(stack, "Board", dashboard_name="shop-api", default_interval=Duration.days(1))
    board.add_widgets(
        cloudwatch.GraphWidget(
            title="CPU",
            left=[cpu("Average"), cpu("Maximum")],
            left_annotations=[
                cloudwatch.HorizontalAnnotation(value=60, label="target 60 %"),
                cloudwatch.HorizontalAnnotation(value=85, label="spike", fill=cloudwatch.Shading.ABOVE),
            ],
            vertical_annotations=changes,
            left_y_axis=cloudwatch.YAxisProps(min=0, max=100),
            width=12,
        ),
        cloudwatch.GraphWidget(title="Errors", left=[requests("RequestCount")], right=[errors], width=12),
    )
    board.add_widgets(
        cloudwatch.SingleValueWidget(metrics=[requests("RequestCount")], sparkline=True),
        cloudwatch.TextWidget(markdown="# Runbook\n<script>alert('no')</script> costs $5 and ${more}"),
        cloudwatch.AlarmWidget(alarm=hot, title="Hot alarm"),
        cloudwatch.AlarmStatusWidget(alarms=[hot, failing]),
        cloudwatch.GaugeWidget(metrics=[cpu("Average")]),
        cloudwatch.LogQueryWidget(log_group_names=["/shop/api"], query_string="fields @message | limit 20"),
        cloudwatch.GraphWidget(title="Bars", left=[requests("RequestCount")], view=cloudwatch.GraphWidgetView.BAR),
        cloudwatch.GraphWidget(title="Pie", left=[requests("RequestCount")], view=cloudwatch.GraphWidgetView.PIE),
        cloudwatch.TableWidget(title="Table", metrics=[requests("TargetResponseTime", "p99")]),
        cloudwatch.GraphWidget(title="Stacked", left=[cpu("Average"), cpu("Maximum")], stacked=True),
    )
    other = Stack(app, "queue")
    cloudwatch.Dashboard(other, "Unnamed", widgets=[[cloudwatch.GraphWidget(title="Alarms", left=[hot.metric])]])
    cloudwatch.Dashboard(other, "Empty", dashboard_name="empty")
    return Path(app.synth().directory)
