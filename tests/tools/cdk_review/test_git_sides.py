"""Both sides from a repository: an app that writes its own cloud assembly, synthesised by the real `cdk` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cdk_review.git_sides import git_sides
from fargate_capacity.input_error import InputError

APP = """
import json, os
from pathlib import Path
from library.count import MINIMUM

folder = Path(os.environ["CDK_OUTDIR"])
folder.mkdir(parents=True, exist_ok=True)
target = {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": {"MinCapacity": MINIMUM}}
(folder / "shop.template.json").write_text(json.dumps({"Resources": {"Count": target}}))
(folder / "asset.code").mkdir(exist_ok=True)
(folder / "asset.code" / "large.bin").write_text("x")
stack = {"type": "aws:cloudformation:stack", "environment": "aws://unknown-account/unknown-region",
         "properties": {"templateFile": "shop.template.json"}}
(folder / "manifest.json").write_text(json.dumps({"version": "48.0.0", "artifacts": {"shop": stack}}))
with Path(os.environ["CALLS"]).open("a") as calls:
    print(MINIMUM, file=calls)
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CDK app whose library is imported from below `source/`, as from an editable install; one commit on `main`."""
    folder = tmp_path / "shop"
    (folder / "source" / "library").mkdir(parents=True)
    (folder / "app.py").write_text(APP)
    (folder / "source" / "library" / "__init__.py").write_text("")
    (folder / "source" / "library" / "count.py").write_text("MINIMUM = 2\n")
    (folder / "cdk.json").write_text(json.dumps({"app": "python3 app.py"}))
    (folder / ".gitignore").write_text("cdk.out/\n__pycache__/\n")
    git(folder, "init")
    git(folder, "add", "--all")
    git(folder, "commit", "--message", "Open the shop")
    git(folder, "branch", "other")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(folder / "source"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return folder


def minimum(assembly: Path) -> int:
    template = json.loads((assembly / "shop.template.json").read_text())
    found: int = template["Resources"]["Count"]["Properties"]["MinCapacity"]
    return found


def test_each_side_is_synthesised_with_its_own_sources(repository: Path) -> None:
    (repository / "source" / "library" / "count.py").write_text("MINIMUM = 1\n")

    with git_sides("main", folder=repository, say=lambda _: None) as sides:
        assert (minimum(sides.base), minimum(sides.head)) == (2, 1)


def test_a_file_that_git_does_not_know_yet_belongs_to_the_change(repository: Path) -> None:
    (repository / "source" / "library" / "few.py").write_text("MINIMUM = 1\n")
    (repository / "source" / "library" / "count.py").write_text("from library.few import MINIMUM\n")

    with git_sides("main", folder=repository, say=lambda _: None) as sides:
        assert (minimum(sides.base), minimum(sides.head)) == (2, 1)


def test_the_side_before_is_where_the_branch_was_left(repository: Path) -> None:
    git(repository, "checkout", "-b", "change")
    (repository / "source" / "library" / "count.py").write_text("MINIMUM = 1\n")
    git(repository, "commit", "--all", "--message", "Save")
    git(repository, "checkout", "main")
    (repository / "source" / "library" / "count.py").write_text("MINIMUM = 9\n")
    git(repository, "commit", "--all", "--message", "Grow")
    git(repository, "checkout", "change")

    with git_sides("main", folder=repository, say=lambda _: None) as sides:
        assert (minimum(sides.base), minimum(sides.head)) == (2, 1)


def test_a_second_review_synthesises_nothing_that_the_first_one_did(repository: Path, tmp_path: Path) -> None:
    (repository / "source" / "library" / "count.py").write_text("MINIMUM = 1\n")
    for number in (1, 1, 3):
        (repository / "source" / "library" / "count.py").write_text(f"MINIMUM = {number}\n")
        with git_sides("main", folder=repository, say=lambda _: None) as sides:
            assert (minimum(sides.base), minimum(sides.head)) == (2, number)

    assert sorted((tmp_path / "calls").read_text().split()) == ["1", "2", "3"]


def test_a_synthesis_of_files_that_were_edited_meanwhile_is_not_kept(repository: Path) -> None:
    count = repository / "source" / "library" / "count.py"
    count.write_text("MINIMUM = 1\n")
    (repository / "app.py").write_text(f"{APP}\nPath({str(count)!r}).write_text('MINIMUM = 5\\n')\n")
    found = []
    for _ in range(2):
        with git_sides("main", folder=repository, say=lambda _: None) as sides:
            found.append(minimum(sides.head))

    assert found == [1, 5]


def test_leaves_the_repository_as_it_was(repository: Path) -> None:
    def state() -> list[str]:
        commands = (["status", "--porcelain"], ["worktree", "list"], ["stash", "list"], ["diff", "--cached"])
        return [
            subprocess.run(["git", *command], cwd=repository, capture_output=True, text=True).stdout
            for command in commands
        ]

    (repository / "new.txt").write_text("new")
    before = state()
    with git_sides("main", folder=repository, say=lambda _: None):
        pass

    assert state() == before


def refusal(reference: str, folder: Path) -> str:
    with pytest.raises(InputError) as refused, git_sides(reference, folder=folder, say=lambda _: None):
        pass
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_refuses_what_is_no_repository_in_one_line(tmp_path: Path) -> None:
    assert "not within a Git repository" in refusal("main", tmp_path)


def test_refuses_an_unknown_reference_in_one_line(repository: Path) -> None:
    assert "nowhere is unknown here; run `git fetch`" in refusal("nowhere", repository)
    assert "allowed: a branch" in refusal("--upload-pack=x", repository)


def test_refuses_a_shallow_clone_in_one_line(repository: Path, tmp_path: Path) -> None:
    git(repository, "commit", "--allow-empty", "--message", "Again")
    git(tmp_path, "clone", "--depth", "1", f"file://{repository}", "shallow")
    git(tmp_path / "shallow", "checkout", "--orphan", "fresh")
    git(tmp_path / "shallow", "commit", "--message", "New")

    assert "the clone is shallow: fetch with full history" in refusal("origin/other", tmp_path / "shallow")
    assert "no common ancestor; the clone is shallow" in refusal("origin/main", tmp_path / "shallow")


def test_refuses_no_common_ancestor_in_one_line(repository: Path) -> None:
    git(repository, "checkout", "--orphan", "fresh")
    git(repository, "commit", "--message", "New")

    assert "HEAD and main have no common ancestor" in refusal("main", repository)


def test_says_in_one_line_why_a_side_cannot_be_synthesised(repository: Path) -> None:
    (repository / "app.py").write_text("raise SystemExit('KeyError: no table')")

    assert "the working tree: `cdk synth` ended with 1" in refusal("main", repository)


def test_refuses_a_folder_without_cdk_json(repository: Path) -> None:
    assert "no cdk.json" in refusal("main", repository / "source")
