import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def account_needs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs")
    return importlib.import_module("account_needs")


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_assembly(environment: str = "dev", *, training: str = "ml.m5.large", most_percent: int = 200) -> Path:
        folder = tmp_path / environment
        folder.mkdir()
        shown = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
        states = {
            "Train": {"Arguments": {"ResourceConfig": {"InstanceType": training, "InstanceCount": 1}}},
            "Score": {"Arguments": {"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 3}}},
            "Configure": {"Arguments": {"ProductionVariants": [shown, {**shown, "InstanceType": "ml.c6i.large"}]}},
            "Wait": {"Seconds": 30},
        }
        machine = {"StateMachineName": "shop-release", "DefinitionString": json.dumps({"States": states})}
        stacks: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
            "model": {"Machine": ("AWS::StepFunctions::StateMachine", machine)},
            "service": {
                "Target": ("AWS::ApplicationAutoScaling::ScalableTarget", {"MaxCapacity": 6}),
                "Task": ("AWS::ECS::TaskDefinition", {"Cpu": "256"}),
                "Service": ("AWS::ECS::Service", {"DeploymentConfiguration": {"MaximumPercent": most_percent}}),
            },
            "network": {
                "Vpc": ("AWS::EC2::VPC", {}),
                "One": ("AWS::EC2::EIP", {}),
                "Two": ("AWS::EC2::EIP", {}),
            },
        }
        for stack, found in stacks.items():
            template = {"Resources": {name: {"Type": kind, "Properties": of} for name, (kind, of) in found.items()}}
            (folder / f"shop-{environment}-{stack}.template.json").write_text(json.dumps(template))
        return folder

    return write_assembly


def test_each_quota_is_reckoned_from_the_templates(account_needs: ModuleType, write: Any) -> None:
    assert {quota: str(need) for quota, need in account_needs.needs(write(most_percent=150)).items()} == {
        "ml.m5.large for training job usage": "1",
        "ml.m5.large for transform job usage": "3",
        # two fleets while an update lasts
        "ml.m5.large for endpoint usage": "4",
        "ml.c6i.large for endpoint usage": "4",
        "Number of instances across all training jobs": "1",
        "Number of instances across all transform jobs": "3",
        "Number of instances across active endpoints": "8",
        # 6 tasks of a quarter, and half as many again beside them
        "Fargate On-Demand vCPU resource count": "1.5; deploying 2.25",
        "EC2-VPC Elastic IPs": "2",
        "VPCs per Region": "1",
    }


def test_each_environment_has_a_column(account_needs: ModuleType, write: Any) -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in account_needs.table([write("dev"), write("prod", training="ml.g5.xlarge")]).splitlines()
    ]
    assert rows[0] == ["quota", "shop-dev", "shop-prod", "default"]
    assert [row for row in rows if "training job usage" in row[0]] == [
        ["`ml.g5.xlarge for training job usage`", "–", "1", "by account"],
        ["`ml.m5.large for training job usage`", "1", "–", "by account"],
    ]
    assert rows[-2:] == [["`EC2-VPC Elastic IPs`", "2", "2", "5"], ["`VPCs per Region`", "1", "1", "5"]]


def test_the_page_gets_the_table_that_is_printed(
    account_needs: ModuleType, write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- quotas -->\n| old |\nafter\n")
    account_needs.main([str(write()), "--page", str(page)])
    printed = capsys.readouterr().out
    assert printed.startswith("| quota |")
    assert page.read_text() == f"before\n<!-- quotas -->\n{printed}after\n"
