import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DEFINITION = {
    "StartAt": "Train",
    "States": {
        "Train": {"Type": "Task", "Next": "Good-Enough", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Tell"}]},
        "Good-Enough": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $a %}", "Next": "Tell"}, {"Condition": "{% $b %}", "Next": "Tell"}],
            "Default": "Create",
        },
        "Create": {
            "Type": "Task",
            "Next": "Wait",
            "Catch": [
                {"ErrorEquals": ["NotThere"], "Next": "Train"},
                {"ErrorEquals": ["States.ALL"], "Next": "Tell"},
            ],
        },
        "Wait": {"Type": "Wait", "Seconds": 3, "Next": "Check"},
        "Check": {"Type": "Task", "Next": "Released", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Tell"}]},
        "Tell": {"Type": "Task", "Next": "Failed"},
        "Released": {"Type": "Succeed"},
        "Failed": {"Type": "Fail"},
    },
}


@pytest.fixture
def draw_workflows(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs")
    return importlib.import_module("draw_workflows")


@pytest.fixture
def lines(draw_workflows: ModuleType) -> list[str]:
    return [line.strip() for line in draw_workflows.mermaid(DEFINITION).splitlines()]


def test_it_begins_where_the_definition_does(lines: list[str]) -> None:
    assert lines[:2] == ["flowchart TD", "begin((start)) --> Train"]


def test_every_state_is_drawn_once_in_the_shape_of_its_type(lines: list[str]) -> None:
    for node in (
        'Train["Train"]',
        'Good_Enough{"Good-Enough"}',
        'Wait{{"Wait"}}',
        'Released(["Released"])',
        'Failed(["Failed"])',
    ):
        assert lines.count(node) == 1


def test_rules_that_lead_to_the_same_state_are_one_line(lines: list[str]) -> None:
    assert lines.count("Good_Enough --> Tell") == 1
    assert "Good_Enough --> Create" in lines


def test_what_all_hand_on_is_one_line_of_their_frame(lines: list[str]) -> None:
    begin, end = lines.index('subgraph guarded ["any failure in here"]'), lines.index("end")
    assert lines[begin + 1 : end] == ['Train["Train"]', 'Create["Create"]', 'Check["Check"]']
    assert lines.count("guarded -.-> Tell") == 1
    assert "Train -.-> Tell" not in lines


def test_an_error_of_its_own_is_drawn_with_its_name(lines: list[str]) -> None:
    assert "Create -.->|NotThere| Train" in lines


def write(folder: Path, page: str) -> tuple[Path, Path]:
    text = json.dumps(DEFINITION)
    properties: dict[str, Any] = {
        "StateMachineName": "shop-release",
        # What only the deployment knows stands between the parts.
        "DefinitionString": {"Fn::Join": ["", [text[:-1] + ', "Comment": "', {"Ref": "Topic"}, '"}']]},
    }
    template = {"Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}
    (folder / "stack.template.json").write_text(json.dumps(template))
    (folder / "page.md").write_text(page)
    return folder, folder / "page.md"


def test_a_page_gets_the_picture_in_place_of_the_old_one(draw_workflows: ModuleType, tmp_path: Path) -> None:
    marker = "<!-- state machine: shop-release -->\n"
    assembly, page = write(tmp_path, f"# Before\n{marker}```mermaid\nold\n```\nAfter\n")
    draw_workflows.main(assembly, [page])
    once = page.read_text()
    assert once.startswith(f"# Before\n{marker}```mermaid\nflowchart TD\n")
    assert once.endswith("```\nAfter\n")
    assert "old" not in once
    draw_workflows.main(assembly, [page])
    assert page.read_text() == once


def test_fails_when_there_is_no_such_state_machine(draw_workflows: ModuleType, tmp_path: Path) -> None:
    assembly, page = write(tmp_path, "<!-- state machine: shop-relaese -->\n")
    with pytest.raises(SystemExit, match=r"shop-relaese: no such state machine in .*, which has shop-release"):
        draw_workflows.main(assembly, [page])
