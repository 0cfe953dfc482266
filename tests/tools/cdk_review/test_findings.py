import json
from pathlib import Path

import pytest

from cdk_review.assembly import read_assembly
from cdk_review.findings import Finding, finding_flags, linted, reported
from cdk_review.review import review
from tests.tools.cdk_review.shop import shop, write_assembly


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    return write_assembly(tmp_path / "assembly", {"shop": shop()})


def test_reads_validations_of_an_assembly(assembly: Path) -> None:
    violation = {
        "ruleName": "AwsSolutions-S10",
        "description": "The bucket does not require SSL.",
        "violatingConstructs": [{"constructPath": "shop/Files/Resource"}],
    }
    (assembly / "validation-report.json").write_text(json.dumps({"pluginReports": [{"violations": [violation]}]}))

    assert reported(assembly) == {
        Finding(rule="AwsSolutions-S10", where="shop/Files/Resource", says="The bucket does not require SSL.")
    }


def test_reads_the_csv_reports_of_older_releases_of_cdk_nag(assembly: Path) -> None:
    (assembly / "AwsSolutions-shop-NagReport.csv").write_text(
        "Rule ID,Resource ID,Compliance,Exception Reason,Rule Level,Rule Info\n"
        '"AwsSolutions-S1","shop/Files","Non-Compliant","N/A","Error","No access logs."\n'
        '"AwsSolutions-S2","shop/Files","Compliant","N/A","Error","Public."\n'
        '"AwsSolutions-S10","shop/Files","Suppressed","Reasoned.","Error","SSL."\n'
    )

    assert {finding.rule for finding in reported(assembly)} == {"AwsSolutions-S1"}


def test_only_what_is_new_is_a_flag(assembly: Path) -> None:
    old = Finding(rule="E1", where="Files", says="wrong")
    new = Finding(rule="E1", where="Jobs", says="wrong\nin two lines")
    stacks = review(read_assembly(assembly), read_assembly(assembly)).stacks

    found = list(finding_flags({old}, {old, new}, stacks))

    assert [(flag.kind, flag.logical_id, flag.sentence) for flag in found] == [
        ("finding", "Jobs", "E1 is new at Jobs: wrong in two lines")
    ]
    assert list(finding_flags({old, new}, {new}, [])) == []


def test_cfn_lint_judges_what_is_written(tmp_path: Path) -> None:
    wrong = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Typo": 1}}}}

    assert {(finding.rule, finding.where) for finding in linted([wrong], tmp_path) or set()} == {("E3002", "Queue")}
