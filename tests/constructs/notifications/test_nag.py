import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_fargate_sagemaker.notifications import AlertsTopic, SlackNotifier
from stacks.nag_packs import check_with_cdk_nag


def test_alerts_have_no_finding(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    check_with_cdk_nag(app)
    stack = cdk.Stack(app, "Stack")
    webhook = secretsmanager.Secret.from_secret_name_v2(stack, "Webhook", "slack")
    SlackNotifier(stack, "Slack", topic=AlertsTopic(stack, "Alerts"), webhook_secret=webhook)
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
    assert found == {"Stack/Careless/Resource"}
