"""The pipeline's jobs, run as they stand: a local server stands for GitLab's API, bare repositories for Git."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdk_review.artifact import PNG, read_review
from cdk_review.comment_text import MARKER
from cdk_review.post_note import note_body
from tests.tools.cdk_review.api_server import STORE, archive, served
from tests.tools.cdk_review.test_recipes import PAGE, PICTURE, PROJECT, SHA

PIPELINE = PROJECT / "examples" / "pipelines" / "gitlab-review.yml"
TOKEN = "token-of-the-project"
AUTHOR = {"id": 5, "username": "project_4_bot"}
FORK = 9


@dataclass
class Api:
    """What stands for GitLab: merge request 7 from a fork, whose pipeline 30 left artifacts of job 31."""

    address: str = ""
    head: str = SHA
    files: dict[str, bytes] = field(
        default_factory=lambda: {"review/review.md": PAGE.encode(), "review/pictures/board-1d-before.png": PICTURE}
    )
    notes: list[dict[str, Any]] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    refuses: bool = False
    calls: list[tuple[str, str, str | None]] = field(default_factory=list)

    def answer(self, method: str, path: str, query: dict[str, list[str]], content: bytes) -> tuple[int, Any]:
        if self.refuses and method != "GET":
            return 403, {"message": "403 Forbidden"}
        match method, path.removeprefix("/api/v4"):
            case "GET", "/user":
                return 200, AUTHOR
            case "GET", "/projects/4/merge_requests":
                return 200, [{"iid": 7, "sha": self.head}] if query["state"] == ["opened"] else []
            case "GET", "/projects/4/merge_requests/7/pipelines":
                return 200, [{"id": 29, "sha": "b" * 40}, {"id": 30, "sha": SHA, "project_id": FORK}]
            case "GET", "/projects/9/pipelines/30/jobs":
                job = {"artifacts_file": {"size": 100}, "web_url": "https://gitlab.example/job"}
                return 200, [{"id": 32, "name": "test", **job}, {"id": 31, "name": "review", **job}]
            case "GET", "/projects/4/merge_requests/7/notes":
                first = 100 * (int(query["page"][0]) - 1)
                return 200, self.notes[first : first + 100]
            case "POST", "/projects/4/merge_requests/7/notes":
                self.notes.append({"id": 90, "author": AUTHOR, "body": json.loads(content)["body"]})
                return 201, self.notes[-1]
            case "PUT", put if put.startswith("/projects/4/merge_requests/7/notes/"):
                found = next(note for note in self.notes if note["id"] == int(put.rpartition("/")[2]))
                found["body"] = json.loads(content)["body"]
                return 200, found
            case "POST", "/projects/4/uploads":
                self.uploads.append(content)
                return 201, {"url": f"/uploads/{len(self.uploads)}/board-1d-before.png"}
        return 404, {"message": "404 Not Found"}


@pytest.fixture
def api() -> Iterator[Api]:
    state = Api()
    with served(state, token="PRIVATE-TOKEN", artifact="/api/v4/projects/9/jobs/31/artifacts"):
        yield state


def git(*arguments: str, folder: Path) -> str:
    identity = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def bare(folder: Path, source: Path, *, branch: str = "main") -> Path:
    """A bare repository with one commit of what is in a folder."""
    git("init", "--quiet", f"--initial-branch={branch}", folder=source)
    git("add", "--all", folder=source)
    git("commit", "--quiet", "--message", "all", folder=source)
    git("clone", "--quiet", "--bare", str(source), str(folder), folder=source)
    return folder


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository with what of the tools the note needs."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(PROJECT / "tools" / "cdk_review", source / "tools" / "cdk_review", ignore=_without_caches)
    (source / "tools" / "fargate_capacity").mkdir()
    for name in ("__init__.py", "input_error.py"):
        shutil.copy(PROJECT / "tools" / "fargate_capacity" / name, source / "tools" / "fargate_capacity")
    return bare(tmp_path_factory.mktemp("server") / "tools.git", source)


def _without_caches(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__"]


def run_job(name: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a job's lines one after the other, in one shell, as the runner does."""
    pipeline = yaml.safe_load(PIPELINE.read_text())
    job = pipeline[name]
    lines = ["set -eo pipefail", *job.get("before_script", ()), *job["script"]]
    declared = {key: str(value) for key, value in (pipeline["variables"] | job["variables"]).items()}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", "\n".join(lines)],
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)}
        | declared
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def noted(api: Api, tools: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    folder = tmp_path / "job"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return run_job(
        "review-note",
        folder,
        CDK_REVIEW_REPOSITORY=f"file://{tools}",
        CDK_REVIEW_FOLDER=str(folder / "tools"),
        CDK_REVIEW_TOKEN=TOKEN,
        CI_API_V4_URL=f"{api.address}/api/v4",
        CI_PROJECT_ID="4",
    )


def test_the_review_compares_with_the_target_branch(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "cdk.json").write_text("{}")
    remote = bare(tmp_path / "shop.git", source, branch="release")
    work = tmp_path / "work"
    git("clone", "--quiet", str(remote), str(work), folder=tmp_path)
    shims = tmp_path / "shims"
    shims.mkdir()
    # What is installed is not what this is about: an environment in which the command writes what it is asked.
    for name, line in {
        "pip": 'printf "%s\\n" "$@" > "$INSTALLED"',
        "cdk-review": 'printf "%s\\n" "$@" > "$ASKED"; git rev-parse "$2" >> "$ASKED"; mkdir "$4"; exit 2',
        "npm": 'echo "$@" > "$FOLDER/npm"',
        "python3": '[[ "$1 $2" == "-m venv" ]] && mkdir -p "$3/bin" && cp "$SHIMS"/{pip,cdk-review} "$3/bin"',
    }.items():
        (shims / name).write_text(f"#!/bin/bash\n{line}\n")
        (shims / name).chmod(0o755)

    done = run_job(
        "review",
        work,
        PATH=f"{shims}:{os.environ['PATH']}",
        CDK_REVIEW_FOLDER=str(tmp_path / "tools"),
        CI_MERGE_REQUEST_TARGET_BRANCH_NAME="release",
        INSTALLED=str(tmp_path / "installed"),
        ASKED=str(tmp_path / "asked"),
        FOLDER=str(tmp_path),
        SHIMS=str(shims),
    )

    assert (done.returncode, done.stderr) == (2, "")
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[:4] == ["--git", "FETCH_HEAD", "--output", "review"]
    assert asked[4:] == ["--fail-on", "critical", git("rev-parse", "release", folder=remote)]
    assert (
        "git+https://example.com/cdk-fargate-sagemaker.git#subdirectory=tools" in (tmp_path / "installed").read_text()
    )
    assert "@aws-cdk/cloudformation-diff@" in (tmp_path / "npm").read_text()


def test_makes_a_note_with_pictures(api: Api, tools: Path, tmp_path: Path) -> None:
    done = noted(api, tools, tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "!7: made a note\n", "")
    (note,) = api.notes
    assert note["body"].startswith(MARKER)
    assert "| replaced |" in note["body"]
    assert "![board before](/uploads/1/board-1d-before.png)" in note["body"]
    assert note["body"].endswith(f"Of {SHA[:12]}, by [this job](https://gitlab.example/job).")
    assert PNG in api.uploads[0]


def test_the_token_goes_to_the_api_alone(api: Api, tools: Path, tmp_path: Path) -> None:
    noted(api, tools, tmp_path)

    assert {token for _, path, token in api.calls if path.startswith("/api/")} == {TOKEN}
    assert [token for _, path, token in api.calls if path == STORE] == [None]


def test_updates_its_own_note_once_for_a_commit(api: Api, tools: Path, tmp_path: Path) -> None:
    stranger = {"author": {"id": 6}, "body": f"{MARKER}\n\nnot its own"}
    api.notes = [{"id": number, **stranger} for number in range(101)]
    api.notes.append({"id": 500, "author": AUTHOR, "body": f"{MARKER}\n\nold\n\nOf {'b' * 12}, by [this job](x)."})

    first, second = (noted(api, tools, tmp_path) for _ in range(2))

    assert (first.stdout, second.stdout) == ("!7: updated its note\n", "nothing to post\n")
    assert "| replaced |" in api.notes[-1]["body"]
    assert len(api.notes) == 102
    assert {note["body"] for note in api.notes[:-1]} == {stranger["body"]}
    assert len(api.uploads) == 1


def test_says_nothing_of_an_older_commit(api: Api, tools: Path, tmp_path: Path) -> None:
    api.head = "c" * 40

    assert noted(api, tools, tmp_path).stdout == "nothing to post\n"
    assert api.notes == []


def test_what_cannot_be_posted_is_one_line(api: Api, tools: Path, tmp_path: Path) -> None:
    api.refuses = True

    done = noted(api, tools, tmp_path)

    assert done.returncode == 0
    assert done.stdout == "!7: nothing posted: GitLab: POST /projects/4/uploads: 403 Forbidden\n"


def test_a_wrong_token_fails_in_one_line(tools: Path, tmp_path: Path, api: Api) -> None:
    done = run_job(
        "review-note",
        tmp_path,
        CDK_REVIEW_REPOSITORY=f"file://{tools}",
        CDK_REVIEW_FOLDER=str(tmp_path / "tools"),
        CDK_REVIEW_TOKEN=TOKEN,
        CI_API_V4_URL=f"{api.address}/elsewhere",
        CI_PROJECT_ID="4",
    )

    assert (done.returncode, done.stderr) == (1, "cdk-review: GitLab: GET /user: 404 Not Found\n")


def test_a_stranger_commands_nothing() -> None:
    review = read_review(archive({"r/review.md": b"a\n/merge\n  /close\n> /approve\n@all\na/b"}), folder="r/")

    body = note_body(review, pictures={}, footer="end")

    assert not [line for line in body.splitlines() if line.lstrip(" >").startswith("/")]
    assert "a/b" in body
    assert "@all" not in body


def test_the_token_is_with_no_code_of_a_merge_request() -> None:
    pipeline = yaml.safe_load(PIPELINE.read_text())
    review, note = pipeline["review"], pipeline["review-note"]

    assert "CDK_REVIEW_TOKEN" not in json.dumps(review)
    (rule,) = note["rules"]
    assert '$CI_PIPELINE_SOURCE == "schedule" && $CI_COMMIT_REF_PROTECTED == "true"' in rule["if"]
    assert note["variables"]["GIT_STRATEGY"] == "none"
    # What the first job leaves is what the second one reads.
    assert review["artifacts"]["paths"] == ["review/"]
