"""Says which quotas an account needs for cloud assemblies. `make docs` writes it into the page on what comes first.

What is used is read from the templates: instances of jobs and of the endpoint, tasks and their size, addresses, VPCs.
"""

import argparse
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud_assembly import resources, state_machines

TABLE = re.compile(r"(?P<marker><!-- quotas -->\n)(?:\|.*\n)*")
# While SageMaker updates an endpoint the old fleet and the new one run side by side:
# https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
FLEETS = 2
FARGATE = "Fargate On-Demand vCPU resource count"
ADDRESSES = "EC2-VPC Elastic IPs"
VPCS = "VPCs per Region"
# https://docs.aws.amazon.com/general/latest/gr/ecs-service.html and
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html; SageMaker's differ between accounts.
DEFAULTS = {FARGATE: 6, ADDRESSES: 5, VPCS: 5}
TOTALS = {
    "training job": "Number of instances across all training jobs",
    "transform job": "Number of instances across all transform jobs",
    "endpoint": "Number of instances across active endpoints",
}


@dataclass(frozen=True, slots=True)
class Need:
    """How much of a quota is used at most; `deploying` is more, where a deployment of the service needs more."""

    most: float
    deploying: float | None = None

    def __str__(self) -> str:
        return f"{self.most:g}" if self.deploying is None else f"{self.most:g}; deploying {self.deploying:g}"


def needs(assembly: Path) -> dict[str, Need]:
    """What an assembly needs, by the quota's name in Service Quotas."""
    instances = instances_of_releases(assembly)
    totals: Counter[str] = Counter()
    for (_, use), count in instances.items():
        totals[use] += count
    return {
        **{f"{kind} for {use} usage": Need(count) for (kind, use), count in instances.items()},
        **{name: Need(totals[use]) for use, name in TOTALS.items() if use in totals},
        FARGATE: vcpus(assembly),
        ADDRESSES: Need(len(list(resources(assembly, "AWS::EC2::EIP")))),
        VPCS: Need(len(list(resources(assembly, "AWS::EC2::VPC")))),
    }


def instances_of_releases(assembly: Path) -> Counter[tuple[str, str]]:
    """How many instances of a type a release runs at once, by type and use."""
    ((_, release),) = [item for item in state_machines(assembly).items() if item[0].endswith("-release")]
    found: Counter[tuple[str, str]] = Counter()
    for state in release["States"].values():
        arguments: dict[str, Any] = state.get("Arguments") or {}
        if job := arguments.get("ResourceConfig"):
            found[job["InstanceType"], "training job"] += job["InstanceCount"]
        if job := arguments.get("TransformResources"):
            found[job["InstanceType"], "transform job"] += job["InstanceCount"]
        for variant in arguments.get("ProductionVariants", []):
            found[variant["InstanceType"], "endpoint"] += FLEETS * variant["InitialInstanceCount"]
    return found


def vcpus(assembly: Path) -> Need:
    """What the service runs at its maximum of tasks, and what a deployment then wants beside it."""
    (target,) = resources(assembly, "AWS::ApplicationAutoScaling::ScalableTarget", stacks="*-service")
    (task,) = resources(assembly, "AWS::ECS::TaskDefinition", stacks="*-service")
    (service,) = resources(assembly, "AWS::ECS::Service", stacks="*-service")
    most = target["MaxCapacity"] * int(task["Cpu"]) / 1024
    return Need(most, most * service["DeploymentConfiguration"]["MaximumPercent"] / 100)


def name(assembly: Path) -> str:
    """What the stacks of an assembly have before the last part of their names: `moderation-dev`."""
    (path,) = assembly.glob("*-model.template.json")
    return path.name.removesuffix("-model.template.json")


def table(assemblies: list[Path]) -> str:
    columns = [needs(assembly) for assembly in assemblies]
    quotas = sorted({quota for column in columns for quota in column}, key=rank)
    head = f"| quota | {' | '.join(map(name, assemblies))} | default |\n|---|{'---|' * len(assemblies)}---|\n"
    return head + "".join(
        f"| `{quota}` | {' | '.join(str(column.get(quota, '–')) for column in columns)} "
        f"| {DEFAULTS.get(quota, 'by account')} |\n"
        for quota in quotas
    )


def rank(quota: str) -> tuple[int, int, str]:
    """First the instances that SageMaker runs, use by use with the use's total behind it; then the network."""
    for place, (use, total) in enumerate(TOTALS.items()):
        if quota == total:
            return place, 1, quota
        if quota.endswith(f" for {use} usage"):
            return place, 0, quota
    return len(TOTALS), list(DEFAULTS).index(quota), quota


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assemblies", type=Path, nargs="+", help="cloud assemblies, as `cdk synth` writes them")
    parser.add_argument("--page", type=Path, help="a page that gets the table, behind its marker")
    given = parser.parse_args(arguments)
    written = table(given.assemblies)
    print(written, end="")
    if given.page:
        text = given.page.read_text(encoding="utf-8")
        given.page.write_text(TABLE.sub(lambda match: match["marker"] + written, text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
