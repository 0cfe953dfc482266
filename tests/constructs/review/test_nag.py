import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker._inline_policy import acknowledge_inline_policy
from cdk_fargate_sagemaker.monitoring import ReviewDashboard
from cdk_fargate_sagemaker.review import ReviewQueue
from stacks.nag_packs import check_with_cdk_nag


@pytest.mark.parametrize("env", [None, cdk.Environment(account="123456789012", region="ap-northeast-1")])
def test_the_queue_has_no_finding(tmp_path: Path, env: cdk.Environment | None) -> None:
    app = cdk.App(outdir=str(tmp_path))
    check_with_cdk_nag(app)
    stack = cdk.Stack(app, "Stack", env=env)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    reviews = ReviewQueue(stack, "Reviews")
    reviews.grant_use(role)
    ReviewDashboard(stack, "Monitor", reviews=reviews)
    acknowledge_inline_policy(role)
    # Its findings show that the rules ran.
    s3.Bucket(stack, "Careless")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    found = {
        (construct["constructPath"], violation["ruleName"])
        for report in json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    }
    assert {path for path, _ in found} == {"Stack/Careless/Resource"}, found
