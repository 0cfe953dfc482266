import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker.fargate import ScaledFargateService
from cdk_fargate_sagemaker.monitoring import ServiceAlarms, ServiceDashboard
from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.tuning import ForecastFloor, TargetTuner
from stacks.nag_packs import check_with_cdk_nag


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("env", [None, cdk.Environment(account="123456789012", region="ap-northeast-1")])
def test_the_tuner_and_the_floor_have_no_finding(
    tmp_path: Path, network: Callable[..., Any], image: ecs.ContainerImage, env: cdk.Environment | None, dry_run: bool
) -> None:
    app = cdk.App(outdir=str(tmp_path))
    check_with_cdk_nag(app)
    alerts = AlertsTopic(cdk.Stack(app, "Alerts", env=env), "Alerts")
    stack = cdk.Stack(app, "Web", env=env)
    service = ScaledFargateService(stack, "Service", vpc=network(stack), image=image, target_percent=60)
    alarms = ServiceAlarms(stack, "Alarms", service=service, alerts_topic=alerts)
    tuner = TargetTuner(
        stack,
        "Tuner",
        service=service,
        guardrail_alarms=[alarms.degraded],
        alerts_topic=alerts,
        dashboard=ServiceDashboard(stack, "Monitor", service=service, alarms=alarms),
        dry_run=dry_run,
    )
    floor = ForecastFloor(stack, "Floor", service=service, alerts_topic=alerts, dry_run=dry_run)
    # Its findings show that the rules ran.
    s3.Bucket(stack, "Careless")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    found = {
        construct["constructPath"]
        for report in json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    }
    # How the load balancer is reached is not the tuner's.
    assert {path for path in found if not path.startswith("Web/Service/")} == {"Web/Careless/Resource"}
    acknowledged = [
        entry.data
        for one in (tuner, floor)
        for construct in one.node.find_all()
        for entry in construct.node.metadata
        if entry.type == cdk.Validations.ACKNOWLEDGED_RULES_METADATA_KEY
    ]
    assert len(acknowledged) > 5
    assert all(reason for rules in acknowledged for reason in rules.values())
