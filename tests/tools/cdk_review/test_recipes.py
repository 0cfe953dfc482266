"""The workflows' steps, run as they stand: a local server stands for GitHub's API, a bare one for the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdk_review.artifact import MOST_PAGE_BYTES, PNG, read_review
from cdk_review.comment_text import MARKER, MOST_CHARACTERS, comment_body, harmless
from cdk_review.post_comment import Run, keep_pictures, run_of
from fargate_capacity.input_error import InputError
from tests.test_github_workflows import faults
from tests.tools.cdk_review.api_server import STORE, archive, served

PROJECT = Path(__file__).parents[3]
SHA = "a" * 40
PAGE = "## Review: 1 high\n\n| kind |\n|---|\n| replaced |\n\n![board before](pictures/board-1d-before.png)\n"
PICTURE = PNG + b"board"


@dataclass
class Api:
    """What stands for GitHub: pull request 7 of a fork, and the artifact of run 11."""

    address: str = ""
    head: str = SHA
    files: dict[str, bytes] = field(
        default_factory=lambda: {"review.md": PAGE.encode(), "pictures/board-1d-before.png": PICTURE}
    )
    comments: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False
    calls: list[tuple[str, str, str | None]] = field(default_factory=list)

    def answer(self, method: str, path: str, query: dict[str, list[str]], content: bytes) -> tuple[int, Any]:
        root = "/repos/shop/shop"
        if self.refuses and method != "GET":
            return 403, {"message": "Resource not accessible by integration"}
        body = json.loads(content)["body"] if content else ""
        match method, path.removeprefix(root):
            case "GET", "/pulls":
                head = {"sha": self.head, "repo": {"full_name": "stranger/shop"}}
                asked = query["head"] == ["stranger:a branch/of & mine"]
                return 200, [{"number": 7, "head": head}] if asked else []
            case "GET", "/actions/runs/11/artifacts":
                return 200, {"artifacts": [{"id": 3, "name": "review", "size_in_bytes": 100, "expired": False}]}
            case "GET", "/issues/7/comments":
                first = 100 * (int(query["page"][0]) - 1)
                return 200, self.comments[first : first + 100]
            case "POST", "/issues/7/comments":
                self.comments.append({"id": 90, "user": {"login": "github-actions[bot]"}, "body": body})
                return 201, {"html_url": "https://example.com/new"}
            case "PATCH", patched if patched.startswith("/issues/comments/"):
                number = int(patched.rpartition("/")[2])
                next(comment for comment in self.comments if comment["id"] == number)["body"] = body
                return 200, {"html_url": "https://example.com/updated"}
        return 404, {"message": "Not Found"}


@pytest.fixture
def api() -> Iterator[Api]:
    state = Api()
    with served(state, token="Authorization", artifact="/repos/shop/shop/actions/artifacts/3/zip"):
        yield state


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The bare repository of shop/shop on a server of files."""
    folder = tmp_path / "server" / "shop" / "shop.git"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare"], cwd=folder, check=True)
    return folder


def steps(path: str) -> dict[str, dict[str, Any]]:
    """The steps that run something, by their names or commands."""
    content = yaml.safe_load((PROJECT / path).read_text())
    listed = content["runs"]["steps"] if "runs" in content else next(iter(content["jobs"].values()))["steps"]
    return {step.get("name", step["run"]): step for step in listed if "run" in step}


def run_step(step: dict[str, Any], tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a step as the runner does, with the values of its expressions given."""
    given = {name: value for name, value in step.get("env", {}).items() if "${{" not in value}
    declared = {name for name, value in step.get("env", {}).items() if "${{" in value}
    assert declared <= environment.keys()
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=PROJECT,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
        | given
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def posted(api: Api, tmp_path: Path, *, action: bool = False) -> subprocess.CompletedProcess[str]:
    event = {
        "workflow_run": {
            "id": 11,
            "event": "pull_request",
            "head_sha": SHA,
            "head_branch": "a branch/of & mine",
            "head_repository": {"full_name": "stranger/shop", "owner": {"login": "stranger"}},
        }
    }
    (tmp_path / "event.json").write_text(json.dumps(event))
    path = "action.yml" if action else ".github/workflows/review-comment.yml"
    name = "Comment" if action else "python3 -m cdk_review.post_comment"
    return run_step(
        steps(path)[name],
        tmp_path,
        GITHUB_TOKEN="token-of-this-run",
        GITHUB_EVENT_PATH=str(tmp_path / "event.json"),
        GITHUB_REPOSITORY="shop/shop",
        GITHUB_API_URL=api.address,
        GITHUB_SERVER_URL=f"file://{tmp_path}/server",
        GITHUB_ACTION_PATH=str(PROJECT),
        PICTURES_BRANCH="review-pictures",
    )


def files_of(repository: Path, branch: str = "review-pictures") -> list[str]:
    command = ["git", "ls-tree", "-r", "--name-only", branch]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("action", [False, True])
def test_makes_a_comment_with_pictures(api: Api, repository: Path, tmp_path: Path, *, action: bool) -> None:
    done = posted(api, tmp_path, action=action)

    assert (done.returncode, done.stderr) == (0, "")
    (comment,) = api.comments
    picture = f"/shop/shop/blob/review-pictures/pull-7/{SHA[:12]}/board-1d-before.png?raw=true"
    assert comment["body"].startswith(MARKER)
    assert "| replaced |" in comment["body"]
    assert picture in comment["body"]
    assert "/actions/runs/11" in comment["body"]
    assert files_of(repository) == [f"pull-7/{SHA[:12]}/board-1d-before.png"]


def test_the_token_goes_to_the_api_alone(api: Api, repository: Path, tmp_path: Path) -> None:
    posted(api, tmp_path)

    assert {token for _, path, token in api.calls if path.startswith("/repos/")} == {"Bearer token-of-this-run"}
    assert [token for _, path, token in api.calls if path == STORE] == [None]


def test_updates_its_own_comment_and_no_other(api: Api, repository: Path, tmp_path: Path) -> None:
    stranger = {"user": {"login": "stranger"}, "body": f"{MARKER}\n\nnot its own"}
    api.comments = [{"id": number, **stranger} for number in range(101)]
    api.comments.append({"id": 500, "user": {"login": "github-actions[bot]"}, "body": f"{MARKER}\n\nold"})

    done = posted(api, tmp_path)

    assert "updated" in done.stdout
    assert "| replaced |" in api.comments[-1]["body"]
    assert {comment["body"] for comment in api.comments[:-1]} == {stranger["body"]}


def test_says_nothing_of_a_commit_that_is_not_the_head_any_more(api: Api, repository: Path, tmp_path: Path) -> None:
    api.head = "b" * 40

    done = posted(api, tmp_path)

    assert done.returncode == 0
    assert "has moved on" in done.stdout
    assert api.comments == []


def test_a_long_page_is_cut_where_it_can_be(api: Api, repository: Path, tmp_path: Path) -> None:
    rows = "".join(f"- changed `construct-{number}`\n" for number in range(9000))
    api.files = {"review.md": f"{PAGE}\n<details><summary>all</summary>\n\n```diff\n{rows}```\n</details>\n".encode()}

    posted(api, tmp_path)

    body = api.comments[0]["body"]
    assert 0.9 * MOST_CHARACTERS < len(body) < 65_536
    assert body.count("<details>") == body.count("</details>")
    assert body.count("```") == 2
    assert body.rstrip().endswith("/actions/runs/11).")


def test_an_error_of_the_api_is_one_line(api: Api, repository: Path, tmp_path: Path) -> None:
    api.refuses = True

    done = posted(api, tmp_path)

    line = "cdk-review: GitHub: POST /issues/7/comments: 403 Resource not accessible by integration\n"
    assert (done.returncode, done.stderr) == (1, line)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"other.md": b""}, "no review.md"),
        ({"review.md": b"x" * (MOST_PAGE_BYTES + 1)}, "more than 400,000 bytes"),
        ({"review.md": b"", "pictures/a.png": PNG + bytes(5_000_000)}, "pictures/a.png has more than"),
    ],
)
def test_refuses_an_artifact_in_one_line(
    files: dict[str, bytes], words: str, api: Api, repository: Path, tmp_path: Path
) -> None:
    api.files = files

    done = posted(api, tmp_path)

    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert words in done.stderr
    assert api.comments == []


def test_reads_pictures_alone_from_an_artifact() -> None:
    names = ("pictures/../../x.png", "/pictures/x.png", "pictures/a/b.png", "pictures/x.svg", "x.png", "pictures/..png")
    files = {"review.md": b"page", "pictures/fake.png": b"<svg>", "pictures/good.png": PICTURE}

    review = read_review(archive(files | dict.fromkeys(names, PICTURE)))

    assert dict(review.pictures) == {"pictures/good.png": PICTURE}


def test_refuses_what_is_no_archive() -> None:
    with pytest.raises(InputError, match="no ZIP file"):
        read_review(b"PK\x03\x04 no more")


def test_the_branch_of_pictures_does_not_grow(repository: Path) -> None:
    for folder in ("pull-7/" + "a" * 12, "pull-8/" + "b" * 12, "pull-7/" + "c" * 12):
        keep_pictures(f"file://{repository}", "pictures", folder, {"pictures/x.png": PICTURE}, token="unused")

    assert files_of(repository, "pictures") == [f"pull-7/{'c' * 12}/x.png", f"pull-8/{'b' * 12}/x.png"]
    log = subprocess.run(["git", "log", "--oneline", "pictures"], cwd=repository, capture_output=True, check=True)
    assert len(log.stdout.splitlines()) == 1


def test_what_a_stranger_writes_is_text() -> None:
    written = harmless(
        "@everyone &#64;all fixes #12 GH-3 <!-- x --> <img src=a> <details open> [a](https://a.example) ![b](c.png) "
        "www.b.example mailto:c \u202ereversed\n[d]: https://e.example\n<details><summary>kept</summary></details>"
    )

    for forbidden in ("@e", "&#64;", "#12", "GH-3", "<!--", "<img", "<details open", "](", "https:/", "www.", "\u202e"):
        assert forbidden not in written
    assert "<details><summary>kept</summary></details>" in written


def test_shows_the_pictures_that_came_and_no_others() -> None:
    page = "![a](pictures/a.png) ![b](pictures/b.png) ![c](https://a.example/c.png)"

    body = comment_body(page, pictures={"pictures/a.png": "https://github.com/a.png"}, footer="end")

    assert "![a](https://github.com/a.png)" in body
    assert body.count("](") == 1


def test_a_run_that_no_pull_request_started_has_no_comment() -> None:
    run = {"id": 1, "head_sha": SHA, "event": "push", "head_branch": "main"}
    assert run_of({"workflow_run": run}) is None
    with pytest.raises(InputError, match="no workflow_run"):
        run_of({"pull_request": {}})
    repository = {"full_name": "shop/shop", "owner": {"login": "shop"}}
    found = run_of({"workflow_run": run | {"event": "pull_request", "head_repository": repository}})
    assert found == Run(id=1, sha=SHA, owner="shop", head_repository="shop/shop", branch="main")


def test_the_review_step_writes_the_summary_and_keeps_the_status(tmp_path: Path) -> None:
    command = tmp_path / "cdk-review" / "venv" / "bin" / "cdk-review"
    command.parent.mkdir(parents=True)
    command.write_text(
        '#!/bin/bash\nprintf "%s\\n" "$@" > "$ASKED"\nmkdir -p "$6"; echo page > "$6/review.md"; exit 2\n'
    )
    command.chmod(0o755)

    done = run_step(
        steps("action.yml")["Review"],
        tmp_path,
        BASE="main; touch /tmp/never",
        APP_FOLDER="app",
        OUTPUT=str(tmp_path / "review"),
        ARGUMENTS="--fail-on cost>10%",
        RUNNER_TEMP=str(tmp_path),
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
        ASKED=str(tmp_path / "asked"),
    )

    assert done.returncode == 2
    assert (tmp_path / "summary.md").read_text() == "page\n"
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[:2] == ["--git", "origin/main; touch /tmp/never"]
    assert asked[-2:] == ["--fail-on", "cost>10%"]


def test_the_action_is_valid() -> None:
    action = yaml.safe_load((PROJECT / "action.yml").read_text())
    inputs = {name: {"type": "string", "default": given["default"]} for name, given in action["inputs"].items()}
    # actionlint reads workflows: the same steps, as those of a workflow that is called with the inputs.
    job = {"runs-on": "ubuntu-latest", "steps": action["runs"]["steps"]}
    for given in inputs.values():
        given["default"] = "" if "${{" in given["default"] else given["default"]
    workflow = {"on": {"workflow_call": {"inputs": inputs}}, "jobs": {"review": job}}

    assert faults(yaml.safe_dump(workflow)) == []
    # An expression within a script would be read as a part of it.
    assert not [step for step in action["runs"]["steps"] if "${{" in step["run"]]


def test_the_workflow_with_a_token_runs_no_code_of_the_pull_request() -> None:
    review, comment = (
        yaml.safe_load((PROJECT / ".github" / "workflows" / name).read_text())
        for name in ("review.yml", "review-comment.yml")
    )

    (job,) = comment["jobs"].values()
    (checkout,) = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert checkout["with"] == {"persist-credentials": False}
    assert job["permissions"] == {"actions": "read", "contents": "write", "pull-requests": "write"}
    # YAML 1.1 reads the key `on` as true.
    assert list(comment[True]) == ["workflow_run"]
    assert comment[True]["workflow_run"]["workflows"] == [review["name"]]
    assert list(review[True]) == ["pull_request"]
    assert "secrets." not in (PROJECT / ".github" / "workflows" / "review.yml").read_text()
