"""The app is the manifest: each value of the one is found in the template of the other."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "examples" / "copilot"
MANIFEST = yaml.safe_load((FOLDER / "manifest.yml").read_text())


class Template:
    def __init__(self, path: Path) -> None:
        self._resources = json.loads(path.read_text())["Resources"].values()

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [resource["Properties"] for resource in self._resources if resource["Type"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        (properties,) = self.all(kind)
        return properties


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("copilot")
    environment = {**os.environ, "CDK_OUTDIR": str(folder)}
    subprocess.run([sys.executable, FOLDER / "copilot_service.py"], cwd=folder, env=environment, check=True)
    return Template(folder / "Orders.template.json")


def seconds(duration: str) -> int:
    assert duration.endswith("s")
    return int(duration[:-1])


def test_the_container(template: Template) -> None:
    task = template.one("AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    assert (int(task["Cpu"]), int(task["Memory"])) == (MANIFEST["cpu"], MANIFEST["memory"])
    assert task["RuntimePlatform"] == {"CpuArchitecture": "X86_64", "OperatingSystemFamily": "LINUX"}
    assert MANIFEST["platform"] == "linux/x86_64"
    assert container["Image"] == MANIFEST["image"]["location"]
    assert [mapping["ContainerPort"] for mapping in container["PortMappings"]] == [MANIFEST["image"]["port"]]
    assert container["ReadonlyRootFilesystem"] is MANIFEST["storage"]["readonly_fs"]
    assert container["StopTimeout"] > seconds(MANIFEST["http"]["deregistration_delay"])


def test_variables_and_secrets(template: Template) -> None:
    (container,) = template.one("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    variables = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    topics = json.dumps(variables.pop("COPILOT_SNS_TOPIC_ARNS"))
    assert variables == MANIFEST["variables"]
    assert all(topic["name"] in topics for topic in MANIFEST["publish"]["topics"])
    secrets = {secret["Name"]: json.dumps(secret["ValueFrom"]) for secret in container["Secrets"]}
    assert set(secrets) == set(MANIFEST["secrets"])
    assert MANIFEST["secrets"]["API_TOKEN"] in secrets["API_TOKEN"]
    assert MANIFEST["secrets"]["DATABASE_URL"]["secretsmanager"] in secrets["DATABASE_URL"]


def test_the_load_balancer(template: Template) -> None:
    targets, http = template.one("AWS::ElasticLoadBalancingV2::TargetGroup"), MANIFEST["http"]
    check = http["healthcheck"]
    assert targets["HealthCheckPath"] == check["path"]
    assert targets["HealthyThresholdCount"] == check["healthy_threshold"]
    assert targets["UnhealthyThresholdCount"] == check["unhealthy_threshold"]
    assert targets["HealthCheckIntervalSeconds"] == seconds(check["interval"])
    assert targets["HealthCheckTimeoutSeconds"] == seconds(check["timeout"])
    attributes = {attribute["Key"]: attribute["Value"] for attribute in targets["TargetGroupAttributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == str(seconds(http["deregistration_delay"]))
    assert template.one("AWS::ElasticLoadBalancingV2::LoadBalancer")["Scheme"] == "internet-facing"


def test_the_service(template: Template) -> None:
    service, count = template.one("AWS::ECS::Service"), MANIFEST["count"]
    assert service["HealthCheckGracePeriodSeconds"] == seconds(MANIFEST["http"]["healthcheck"]["grace_period"])
    assert service["EnableExecuteCommand"] is MANIFEST["exec"]
    strategy = {part["CapacityProvider"]: part for part in service["CapacityProviderStrategy"]}
    assert strategy["FARGATE"]["Base"] == count["range"]["spot_from"] - 1
    assert (strategy["FARGATE"]["Weight"], strategy["FARGATE_SPOT"]["Weight"]) == (0, 1)
    network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network["AssignPublicIp"] == "DISABLED"
    assert MANIFEST["network"]["vpc"]["placement"] == "private"
    assert service["DeploymentConfiguration"]["Alarms"]["Rollback"] is True
    retentions = {group["RetentionInDays"] for group in template.all("AWS::Logs::LogGroup")}
    assert MANIFEST["logging"]["retention"] in retentions


def test_its_scaling(template: Template) -> None:
    count = MANIFEST["count"]
    target = template.one("AWS::ApplicationAutoScaling::ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (count["range"]["min"], count["range"]["max"])
    policies = [
        policy["TargetTrackingScalingPolicyConfiguration"]
        for policy in template.all("AWS::ApplicationAutoScaling::ScalingPolicy")
        if policy["PolicyType"] == "TargetTrackingScaling"
    ]
    assert {
        policy["PredefinedMetricSpecification"]["PredefinedMetricType"]: policy["TargetValue"] for policy in policies
    } == {
        "ECSServiceAverageCPUUtilization": count["cpu_percentage"],
        "ECSServiceAverageMemoryUtilization": count["memory_percentage"],
        "ALBRequestCountPerTarget": count["requests"],
    }
    cooldowns = {(policy["ScaleInCooldown"], policy["ScaleOutCooldown"]) for policy in policies}
    assert cooldowns == {(seconds(count["cooldown"]["in"]), seconds(count["cooldown"]["out"]))}


def test_every_key_of_the_manifest_is_in_the_page() -> None:
    page = (PROJECT / "docs" / "come-from-copilot.md").read_text(encoding="utf-8")
    _, _, table = page.partition("## Key by key")
    for key, value in MANIFEST.items():
        if key != "type":
            assert f"`{key}" in table, key
        for below in value if isinstance(value, dict) and key not in ("variables", "secrets", "image") else ():
            assert f"`{key}.{below}" in table or f"`{below}`" in table, f"{key}.{below}"
