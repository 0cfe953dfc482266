"""Prints what the model half of a cloud assembly costs per month. `make docs` writes it into the page on costs.

What is deployed is read from the templates: instances, waits of the traffic shifting, states, alarms, dashboards, keys.
How often a release runs and how long its jobs take is assumed, and can be given.
"""

import argparse
import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud_assembly import resources, state_machines

HERE = Path(__file__).parent
PRICES = HERE.parent / "tools" / "fargate_capacity" / "pricing" / "prices.json"
TABLE = re.compile(r"(?P<marker><!-- costs of the model half -->\n)(?:\|.*\n)*")
MONTH_HOURS = 730
# What SageMaker takes to bring new instances into service, beside what the traffic shifting waits.
BRING_UP_HOURS = 10 / 60
POLLED_STATES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    releases: float = 52 / 12
    training_hours: float = 1.0
    scoring_hours: float = 0.25


def rows(assembly: Path, prices: dict[str, Any], usage: Usage) -> list[tuple[str, str, float]]:
    """Each item with its calculation and its dollars per month."""
    ((_, release),) = [item for item in state_machines(assembly).items() if item[0].endswith("-release")]
    states = release["States"]
    variants = states["EndpointConfig-Step"]["Arguments"]["ProductionVariants"]
    serving = sum(variant["InitialInstanceCount"] * hourly(prices, variant["InstanceType"]) for variant in variants)
    instances = ", ".join(f"{variant['InitialInstanceCount']} × {variant['InstanceType']}" for variant in variants)
    update_hours = BRING_UP_HOURS + waits(states["Endpoint-Updating-Step"]["Arguments"]["DeploymentConfig"]) / 3600
    training = states["Train"]["Arguments"]["ResourceConfig"]["InstanceType"]
    scoring = states["Score-Current-Step"]["Arguments"]["TransformResources"]["InstanceType"]
    transitions = len(states) + POLLED_STATES * math.ceil(update_hours * 3600 / states["Wait"]["Seconds"])
    alarm_metrics = sum(
        sum("MetricStat" in metric for metric in alarm["Metrics"]) if "Metrics" in alarm else 1
        for alarm in resources(assembly, "AWS::CloudWatch::Alarm", stacks="*-model")
    )
    composites = len(list(resources(assembly, "AWS::CloudWatch::CompositeAlarm", stacks="*-model")))
    dashboards = len(list(resources(assembly, "AWS::CloudWatch::Dashboard", stacks="*-model")))
    keys = len(list(resources(assembly, "AWS::KMS::Key", stacks="*-model")))
    n = usage.releases
    return [
        ("endpoint", f"{instances}, {MONTH_HOURS} h", MONTH_HOURS * serving),
        ("the second fleet of an update", f"{n:.2f} × {update_hours * 60:.0f} min", n * update_hours * serving),
        (
            "training",
            f"{n:.2f} × {usage.training_hours:g} h of {training}",
            n * usage.training_hours * hourly(prices, training),
        ),
        (
            "scoring the current model",
            f"{n:.2f} × {usage.scoring_hours:g} h of {scoring}",
            n * usage.scoring_hours * hourly(prices, scoring),
        ),
        (
            "states of the workflow",
            f"{n:.2f} × at most {transitions} transitions",
            n * transitions * prices["state_transition"],
        ),
        ("alarms", f"{alarm_metrics} metrics", alarm_metrics * prices["alarm_metric_month"]),
        ("composite alarms", f"{composites}", composites * prices["composite_alarm_month"]),
        ("dashboards", f"{dashboards}", dashboards * prices["dashboard_month"]),
        ("keys", f"{keys}", keys * prices["key_month"]),
    ]


def waits(deployment: dict[str, Any]) -> float:
    """Seconds that an update waits: between the steps of the traffic shifting, and for the old fleet at its end."""
    policy = deployment["BlueGreenUpdatePolicy"]
    routing = policy["TrafficRoutingConfiguration"]
    step = routing.get("LinearStepSize", {})
    steps = math.ceil(100 / step["Value"]) - 1 if step.get("Type") == "CAPACITY_PERCENT" else 1
    return (steps if routing["Type"] != "ALL_AT_ONCE" else 0) * routing["WaitIntervalInSeconds"] + policy[
        "TerminationWaitInSeconds"
    ]


def hourly(prices: dict[str, Any], instance_type: str) -> float:
    if instance_type not in prices["instance_hour"]:
        sys.exit(f"{instance_type}: no price in {PRICES.relative_to(HERE.parent)}; add it under instance_hour")
    price: float = prices["instance_hour"][instance_type]
    return price


def table(lines: list[tuple[str, str, float]]) -> str:
    body = "".join(f"| {what} | {how} | {dollars:.2f} |\n" for what, how, dollars in lines)
    total = sum(dollars for *_, dollars in lines)
    return f"| what | calculation | $ per month |\n|---|---|---:|\n{body}| **together** | | **{total:.2f}** |\n"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assembly", type=Path, help="the cloud assembly, as `cdk synth` writes it")
    parser.add_argument("--releases", type=float, default=Usage().releases, help="per month (default: one per week)")
    parser.add_argument("--training-hours", type=float, default=Usage().training_hours)
    parser.add_argument("--scoring-hours", type=float, default=Usage().scoring_hours)
    parser.add_argument("--page", type=Path, help="a page that gets the table, behind its marker")
    given = parser.parse_args(arguments)
    usage = Usage(releases=given.releases, training_hours=given.training_hours, scoring_hours=given.scoring_hours)
    read = json.loads(PRICES.read_text(encoding="utf-8"))
    prices = read["instances"] | read["services"]
    written = table(rows(given.assembly, prices, usage))
    print(written, end="")
    if given.page:
        text = given.page.read_text(encoding="utf-8")
        given.page.write_text(TABLE.sub(lambda match: match["marker"] + written, text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
