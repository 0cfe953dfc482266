"""The entry `rehearsal` of a project's cdk.json."""

import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
import typer

from cdk_rehearsal.project import Project
from cdk_rehearsal.rehearse_command import command_of
from cdk_rehearsal.step_failure import InvalidInputError
from cdk_rehearsal.story import GENERIC_STEPS, Story, step_order

STORY = """
from cdk_rehearsal.story import Story
class Shop(Story):
    pass
class Other:
    pass
a_shop = Shop()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of a name that no other test imports, in the folder `tools` of the project."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"shop_{uuid.uuid4().hex[:8]}"
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / f"{name}.py").write_text(STORY)
    yield name
    sys.modules.pop(name, None)


def read(folder: Path, entry: Any) -> Project:
    (folder / "cdk.json").write_text(json.dumps({"app": "true", "rehearsal": entry}))
    return Project.read(folder)


def test_without_an_entry_there_is_no_story(tmp_path: Path) -> None:
    (tmp_path / "cdk.json").write_text('{"app": "true", "context": {"environment": "dev"}}')
    assert Project.read(tmp_path) == Project(story=Story, environment="dev")


def test_the_story_is_imported_from_its_folder(tmp_path: Path, module: str) -> None:
    project = read(tmp_path, {"story": f"{module}:Shop", "path": "tools"})
    assert (project.story.__name__, project.story.__module__, project.environment) == ("Shop", module, None)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("@:Shop", 'cdk.json: "rehearsal" is "@:Shop"; it must be an object, as "rehearsal": {"story": '),
        ({"story": "@:Shop", "paths": []}, '"rehearsal" has paths; it knows story and path'),
        ({"path": "tools"}, '"rehearsal.story" is null; give MODULE:CLASS'),
        ({"story": "@"}, '"rehearsal.story" is "@"; give MODULE:CLASS'),
        ({"story": "@:Shop", "path": "nowhere"}, '"rehearsal.path" is "nowhere"; give a folder relative to'),
        ({"story": "@:Shop", "path": 3}, '"rehearsal.path" is 3; give a folder relative to'),
        ({"story": "no_such_module:Shop", "path": "tools"}, "no_such_module cannot be imported from"),
        ({"story": "@:Absent", "path": "tools"}, "@ has no Absent"),
        ({"story": "@:Other", "path": "tools"}, "@:Other is no subclass of cdk_rehearsal.story.Story"),
        ({"story": "@:a_shop", "path": "tools"}, "@:a_shop is no subclass of cdk_rehearsal.story.Story"),
    ],
)
def test_fails_when_the_entry_cannot_be_used(tmp_path: Path, module: str, entry: Any, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, json.loads(json.dumps(entry).replace("@", module)))
    assert message.replace("@", module) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fails_when_the_story_cannot_be_imported_in_one_line(tmp_path: Path, module: str) -> None:
    (tmp_path / "tools" / f"{module}.py").write_text('raise RuntimeError("first\\nsecond")')
    with pytest.raises(InvalidInputError, match=r"RuntimeError: first second$"):
        read(tmp_path, {"story": f"{module}:Shop", "path": "tools"})


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "there is no "), ('{"app": ', "line 1: is no JSON"), ("[]", "is no JSON object")],
)
def test_fails_when_there_is_no_project(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "cdk.json").write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        Project.read(tmp_path)


class Ordering(Story):
    def steps(self) -> dict[str, Any]:
        return {"order": self.stop, "redeploy": self.stop}


class Reordered(Ordering):
    order_of_steps: ClassVar[tuple[str, ...]] = (*GENERIC_STEPS[:3], "order", "redeploy", "permissions", "destroy")


class Forgetful(Ordering):
    order_of_steps: ClassVar[tuple[str, ...]] = GENERIC_STEPS


def test_a_storys_steps_stand_behind_the_deployment() -> None:
    assert step_order(Story()) == GENERIC_STEPS
    assert step_order(Ordering()) == ("start", "bootstrap", "deploy", "order", "permissions", "redeploy", "destroy")
    assert step_order(Reordered()) == Reordered.order_of_steps
    with pytest.raises(InvalidInputError, match=r"order of Forgetful .* it has to name each of .*order once"):
        step_order(Forgetful())


class Taking(Story):
    def __init__(self, *, keep: Annotated[bool, typer.Option()] = False) -> None:
        pass


class Positional(Story):
    def __init__(self, orders: Annotated[int, typer.Option()] = 1) -> None:
        pass


@pytest.mark.parametrize(
    ("story", "message"),
    [
        (Taking, "the story Taking has the option keep, which is cdk-rehearse's own: rename it"),
        (Positional, "the story Positional takes orders; it has to be a keyword argument with an annotation"),
    ],
)
def test_fails_when_a_story_takes_what_is_no_option_of_its_own(story: type[Story], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        command_of(story)
    assert str(caught.value).startswith(message)
