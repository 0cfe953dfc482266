import json
from typing import Any

import pytest


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_cdk_nag_has_no_unacknowledged_finding(environment: str, synth: Any) -> None:
    report = json.loads((synth(environment) / "validation-report.json").read_text())
    findings = [
        f"{plugin['pluginName']}: {violation['ruleName']} at {construct['constructPath']}"
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]
    assert findings == []
    assert "AwsSolutions" in {plugin["pluginName"].partition(" ")[0].partition("Checks")[0] for plugin in report["pluginReports"]}
