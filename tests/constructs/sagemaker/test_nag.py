import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import ModelImage, ModelReleaseWorkflow, TrainingJob
from stacks.nag_packs import check_with_cdk_nag


@pytest.mark.parametrize("env", [None, cdk.Environment(account="123456789012", region="ap-northeast-1")])
@pytest.mark.parametrize("own_key", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_the_workflow_has_no_finding(
    tmp_path: Path,
    image: ModelImage,
    everything: Callable[[cdk.Stack], dict[str, Any]],
    env: cdk.Environment | None,
    own_key: bool,
    whole: bool,
) -> None:
    app = cdk.App(outdir=str(tmp_path))
    check_with_cdk_nag(app)
    alerts = cdk.Stack(app, "Alerts", env=env)
    model = cdk.Stack(app, "Model", env=env)
    workflow = ModelReleaseWorkflow(
        model,
        "Release",
        endpoint_name="moderation-dev",
        inference_image=image,
        data_bucket=s3.Bucket(
            model,
            "Data",
            enforce_ssl=True,
            server_access_logs_prefix="logs/",
            encryption_key=kms.Key(model, "DataKey", enable_key_rotation=True) if own_key else None,
        ),
        alerts_topic=AlertsTopic(alerts, "Alerts"),
        **({"train": TrainingJob(image=image)} | (everything(model) if whole else {})),
    )
    # Its findings show that the rules ran.
    s3.Bucket(model, "Careless")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    found = {
        construct["constructPath"]
        for report in json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    }
    # How the bucket is kept is not the workflow's.
    assert found - {"Model/Data/Resource"} == {"Model/Careless/Resource"}
    acknowledged = [
        entry.data for construct in workflow.node.find_all() for entry in construct.node.metadata
        if entry.type == cdk.Validations.ACKNOWLEDGED_RULES_METADATA_KEY
    ]  # fmt: skip
    assert all(reason for rules in acknowledged for reason in rules.values())
    assert len(acknowledged) > 10
