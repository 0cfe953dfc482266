import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sns as sns

from cdk_fargate_sagemaker.monitoring import EndpointAlarms, EndpointDashboard, WorkflowAlarms, WorkflowDashboard
from cdk_fargate_sagemaker.sagemaker import EndpointMetrics, ModelReleaseWorkflow
from stacks.nag_packs import check_with_cdk_nag


def test_dashboards_and_alarms_have_no_finding(
    stack: cdk.Stack, workflow: ModelReleaseWorkflow, topic: sns.ITopic
) -> None:
    metrics = EndpointMetrics(endpoint_name="moderation")
    alarms = EndpointAlarms(stack, "EndpointAlarms", endpoint=metrics, alerts_topic=topic)
    EndpointDashboard(stack, "EndpointDashboard", endpoint=metrics, alarms=alarms, workflow=workflow)
    WorkflowAlarms(stack, "WorkflowAlarms", workflow=workflow, alerts_topic=topic, release_within=cdk.Duration.days(7))
    WorkflowDashboard(stack, "WorkflowDashboard", workflow=workflow)
    # Of alarms that tell nobody there is a finding, which shows that the rules ran.
    EndpointAlarms(stack, "Silent", endpoint=metrics)
    app = cdk.Stage.of(stack)
    assert isinstance(app, cdk.App)
    check_with_cdk_nag(app)
    with pytest.raises(RuntimeError, match="ValidationFailed") as caught:
        app.synth()
    report = json.loads(Path(str(caught.value).rpartition("found in: ")[2].strip()).read_text())
    found = {
        construct["constructPath"]
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }
    assert found
    # How the workflow itself is kept has a test of its own.
    assert {path for path in found if not path.startswith(("Stack/Silent/", "Stack/Release/"))} == set()
