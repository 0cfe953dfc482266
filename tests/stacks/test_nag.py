import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3

from stacks.nag_packs import NAG_PACKS, check_with_cdk_nag


def findings(assembly: Path) -> list[str]:
    report = json.loads((assembly / "validation-report.json").read_text())
    return [
        f"{plugin['pluginName']}: {violation['ruleName']} at {construct['constructPath']}"
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_cdk_nag_has_no_unacknowledged_finding(environment: str, synth: Any) -> None:
    assert findings(synth(environment)) == []


def test_cdk_nag_would_be_heard(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    check_with_cdk_nag(app)
    s3.Bucket(cdk.Stack(app, "Careless"), "Bucket")
    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        app.synth()
    heard = {finding.partition(":")[0] for finding in findings(tmp_path)}
    assert {"AwsSolutions", "NIST.800.53.R5"} <= heard


def test_every_pack_is_checked() -> None:
    assert {pack.__name__ for pack in NAG_PACKS} == {"AwsSolutionsChecks", "NIST80053R5Checks", "ServerlessChecks"}
