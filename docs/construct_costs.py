"""Says what each public construct costs in a month. `make docs` writes it into the page on costs.

The least use of each is synthesised (tests/constructs/minimal) and priced by the project's one dated table. What
depends on traffic, requests and stored data is not in it.
"""

import argparse
import inspect
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from construct_uses import USES, Use, types, use
from constructs import Construct

from cdk_review.fixed_cost import prices
from cdk_review.standing_cost import charges_and_tracking

TABLES = re.compile(
    r"(?P<marker><!-- costs of the constructs: (?P<which>\w+) -->\n)(?:\|.*\n)*",
)
SHARED_BY = {
    "ServiceVpc": "all services of a network",
    "ServiceVpcEndpoints": "all tasks of a VPC, in place of its NAT gateways",
    "AlertsTopic": "every alarm, and every construct that notifies",
    "SlackNotifier": "all alerts of a topic",
    "BucketEmptier": "all emptiers of a stack",
}
"""Constructs of which one serves several uses of others."""
MONTH_MINUTES = 730 * 60
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_RATE_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}


def row(name: str) -> tuple[float, float, str]:
    """Dollars a month of one use, those of it for a key that several uses can share, and what costs them."""
    made = use(name)
    resources = made.own | made.of_stack
    found = [(charge.what, charge.month) for charge in charges_and_tracking("", resources, "us-east-1")]
    # The workflow's or the configuration's variants are what an endpoint costs.
    charges = [(what, month) for what, month in found if month is not None and month > 0]
    unpriced = {what for what, month in found if month is None} - {"SageMaker::Endpoint"}
    if unpriced:
        sys.exit(f"{name}: no price for {', '.join(sorted(unpriced))}; add one to prices.json")
    metrics = custom_metrics(made.construct)
    if metrics:
        what = f"{metrics} custom metrics while there are data"
        charges.append((what, metrics * prices()["services"]["custom_metric_month"]))
    keys = len(list(types(made.own, "AWS::KMS::Key"))) if takes_key(made.construct) else 0
    counted = Counter(charges)
    parts = [
        f"{number} × {what} {number * month:.2f}" if number > 1 else f"{what} {month:.2f}"
        for (what, month), number in sorted(counted.items(), key=lambda item: -item[0][1] * item[1])
    ]
    return (
        sum(month for _, month in charges),
        keys * prices()["services"]["key_month"],
        "; ".join([*parts, *by_use(made)]) or "nothing",
    )


def by_use(made: Use) -> Iterator[str]:
    """What is billed by what it does, in words."""
    resources = made.own | made.of_stack
    functions = len(list(types(resources, "AWS::Lambda::Function")))
    if functions:
        runs = sum(map(runs_a_month, types(resources, "AWS::Events::Rule")))
        scheduled = f", {runs:,.0f} scheduled runs" if runs else ""
        yield f"by use: {functions} function{'s' if functions > 1 else ''}{scheduled}"
    for kind, word in {
        "AWS::DynamoDB::Table": "table",
        "AWS::S3::Bucket": "bucket",
        "AWS::SQS::Queue": "queue",
        "AWS::Logs::LogGroup": "log group",
        "AWS::StepFunctions::StateMachine": "state machine",
    }.items():
        number = len(list(types(resources, kind)))
        if number:
            yield f"{number} {word}{'s' if number > 1 else ''}"


def runs_a_month(rule: dict[str, Any]) -> float:
    """How often a rule fires by its schedule: `rate(…)`, or `cron(…)` at one minute of every hour or of one."""
    schedule = rule.get("ScheduleExpression")
    if schedule is None:
        return 0
    if rate := _RATE.fullmatch(schedule):
        return MONTH_MINUTES / (int(rate[1]) * _RATE_MINUTES[rate[2]])
    minute, hour, *_ = schedule.removeprefix("cron(").split()
    if not minute.isdigit() or not (hour == "*" or hour.isdigit()):
        sys.exit(f"{schedule}: allowed: rate(…), or cron(…) at one minute of every hour or of one")
    return MONTH_MINUTES / _RATE_MINUTES["hour" if hour == "*" else "day"]


def custom_metrics(construct: Construct) -> int:
    """Those that a construct's functions publish, by its `metric_*`; AWS's own are free of charge."""
    found = set()
    for name, function in inspect.getmembers(type(construct), inspect.isfunction):
        needed = [
            parameter
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        ]
        # One that takes a namespace is of the team's own service.
        if name.startswith("metric_") and [parameter.name for parameter in needed] == ["self"]:
            made = getattr(construct, name)()
            for metric in made if isinstance(made, tuple) else (made,):
                if not getattr(metric, "namespace", "AWS/").lower().startswith(("aws/", "/aws/")):
                    found.add((metric.namespace, metric.metric_name, str(metric.dimensions)))
    return len(found)


def takes_key(construct: Construct) -> bool:
    return any(name.endswith("encryption_key") for name in inspect.signature(type(construct).__init__).parameters)


def shared_table(names: Iterable[str]) -> str:
    lines = []
    for name in names:
        month, _, what = row(name)
        lines.append(f"| `{name}` | {SHARED_BY[name]} | {month:.2f} | {what} |\n")
    return f"| construct | one serves | $ a month | what |\n|---|---|---:|---|\n{''.join(lines)}"


def use_table(names: Iterable[str]) -> str:
    lines = []
    for name in names:
        month, key, what = row(name)
        of_it = f"{key:.2f}" if key else "–"
        lines.append(f"| `{name}` | {month:.2f} | {of_it} | {what} |\n")
    return f"| construct | $ a month | of it a key | what |\n|---|---:|---:|---|\n{''.join(lines)}"


def tables() -> dict[str, str]:
    return {
        "shared": shared_table(SHARED_BY),
        "each": use_table(name for name in USES if name not in SHARED_BY),
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="a page that gets the tables, each behind its marker")
    given = parser.parse_args(arguments)
    written = tables()
    print("\n".join(written.values()), end="")
    if given.page:
        text = given.page.read_text(encoding="utf-8")
        text = TABLES.sub(lambda match: match["marker"] + written[match["which"]], text)
        given.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
