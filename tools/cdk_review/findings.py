"""The findings of template checks: of cdk-nag and other validations, from their reports in the assembly, and of
cfn-lint.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdk_review.changes import StackChange
from cdk_review.flag import Flag
from cdk_review.reference_text import as_list

REPORT = "validation-report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of a check.

    Args:
        rule: the rule's id, such as `AwsSolutions-S10` or `E3012`.
        where: a construct path or a logical id.
        says: the check's message.
    """

    rule: str
    where: str
    says: str


def reported(assembly: Path) -> set[Finding]:
    """The findings that cdk-nag and other validations wrote into the assembly at synthesis."""
    found = set()
    for path in sorted(assembly.rglob(REPORT)):
        found |= set(_of_validation(_json(path)))
    for path in sorted(assembly.rglob("*-NagReport.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row.get("Compliance") == "Non-Compliant" and row.get("Exception Reason", "N/A") == "N/A":
                    rule, where = row.get("Rule ID", ""), row.get("Resource ID", "")
                    found.add(Finding(rule=rule, where=where, says=row.get("Rule Info", "")))
    return found


def _of_validation(report: Any) -> Iterator[Finding]:
    for plugin in as_list(report.get("pluginReports")) if isinstance(report, dict) else []:
        for violation in as_list(plugin.get("violations")):
            places = as_list(violation.get("violatingConstructs")) or as_list(violation.get("violatingResources"))
            for place in places:
                where = place.get("constructPath") or place.get("resourceLogicalId") or ""
                yield Finding(
                    rule=str(violation.get("ruleName")), where=str(where), says=str(violation.get("description", ""))
                )


def linted(templates: Iterable[dict[str, Any]], folder: Path) -> set[Finding] | None:
    """cfn-lint's findings in templates, which are written to `folder`; None if it is not installed."""
    linter = shutil.which("cfn-lint")
    if linter is None:
        return None
    paths = []
    for number, template in enumerate(templates):
        path = folder / f"{number}.template.json"
        path.write_text(json.dumps(template), encoding="utf-8")
        paths.append(str(path))
    if not paths:
        return set()
    done = subprocess.run([linter, "--format", "json", *paths], capture_output=True, text=True, check=False)
    try:
        matches = json.loads(done.stdout or "[]")
    except ValueError:
        return None
    return {
        Finding(
            rule=str(match["Rule"]["Id"]),
            where=_resource(match),
            says=str(match.get("Message", "")),
        )
        for match in matches
        # Warnings are for authors of a template; errors are for reviewers too.
        if match.get("Level") == "Error"
    }


def _resource(match: dict[str, Any]) -> str:
    path = match.get("Location", {}).get("Path") or []
    return str(path[1]) if len(path) > 1 else str(path[0]) if path else "template"


def finding_flags(before: set[Finding], after: set[Finding], stacks: Iterable[StackChange]) -> Iterator[Flag]:
    """A flag per finding that the side before lacks."""
    known = {(finding.rule, finding.where) for finding in before}
    moved = {old: new for stack in stacks for old, new in stack.moved.items()}
    known |= {(rule, moved.get(where, where)) for rule, where in known}
    said = set()
    for finding in sorted(after, key=lambda finding: (finding.rule, finding.where)):
        key = (finding.rule, finding.where)
        if key in known or key in said:
            continue
        said.add(key)
        says = " ".join(finding.says.split())[:160]
        yield Flag(
            kind="finding",
            severity="medium",
            stack=finding.where.partition("/")[0],
            logical_id=finding.where,
            sentence=f"{finding.rule} is new at {finding.where}: {says}",
        )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
