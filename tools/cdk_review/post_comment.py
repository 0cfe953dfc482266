"""Posts a review as one comment of its pull request, from a workflow that runs no code of the pull request.

    python -m cdk_review.post_comment

It runs on `workflow_run`, after the workflow that made the review. GitHub's event has the run and its commit; the pull
request is looked up by those, never by the run's output. The run's artifact is untrusted data: its size is limited, and
only review.md and PNG files are read. The module needs only the standard library, so that nothing is installed where
the token is.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdk_review.artifact import MOST_ARCHIVE_BYTES, Review, read_review
from cdk_review.comment_text import MARKER, comment_body
from cdk_review.json_api import JsonApi
from fargate_capacity.input_error import InputError

MOST_PULL_REQUESTS = 30
SHA = re.compile(r"[0-9a-f]{40}")
AUTHOR = "github-actions[bot]"
ATTEMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The run that made a review, from GitHub's event.

    Args:
        id: the run's id.
        sha: the head commit of the pull request.
        owner: the owner of the commit's repository, a fork or this one.
        head_repository: the commit's repository.
        branch: the pull request's branch.
    """

    id: int
    sha: str
    owner: str
    head_repository: str
    branch: str


def run_of(event: Mapping[str, Any]) -> Run | None:
    """The run of a `workflow_run` event; None if no pull request started it.

    Raises:
        InputError: another event.
    """
    run = event.get("workflow_run")
    try:
        if not isinstance(run, dict) or not SHA.fullmatch(run["head_sha"]):
            raise KeyError
        if run.get("event") != "pull_request":
            return None
        return Run(
            id=int(run["id"]),
            sha=run["head_sha"],
            owner=run["head_repository"]["owner"]["login"],
            head_repository=run["head_repository"]["full_name"],
            branch=run["head_branch"],
        )
    except (KeyError, TypeError, ValueError):
        raise InputError("event: no workflow_run with a commit; run this on `workflow_run`") from None


def pull_requests_of(github: JsonApi, run: Run) -> list[int]:
    """The open pull requests whose head is still the run's commit; one with newer commits gets another review."""
    # By the branch: a commit of a fork is not known in this repository (`/commits/…/pulls` has none).
    found = github.get("/pulls", state="open", head=f"{run.owner}:{run.branch}", per_page=MOST_PULL_REQUESTS)
    return [
        int(pull["number"])
        for pull in found
        if pull["head"]["sha"] == run.sha and (pull["head"].get("repo") or {}).get("full_name") == run.head_repository
    ]


def artifact_of(github: JsonApi, run: Run, name: str) -> Review | None:
    """The run's artifact with this name; None if there is none.

    Raises:
        InputError: it is too large, or not a ZIP file with a review.md.
    """
    listed = github.get(f"/actions/runs/{run.id}/artifacts", name=name, per_page=10)
    found = [each for each in listed["artifacts"] if each["name"] == name and not each.get("expired")]
    if not found:
        return None
    if found[0]["size_in_bytes"] > MOST_ARCHIVE_BYTES:
        raise InputError(f"artifact: more than {MOST_ARCHIVE_BYTES:,} bytes; nothing is posted")
    return read_review(github.archive(f"/actions/artifacts/{int(found[0]['id'])}/zip"))


def keep_pictures(remote: str, branch: str, folder: str, pictures: Mapping[str, bytes], *, token: str) -> None:
    """Write pictures into a folder of a branch for pictures only, replacing the folder's previous ones.

    The branch is one commit without a parent, replaced each time, so that the repository does not grow. It keeps the
    pictures of the latest pull requests.

    Raises:
        InputError: it cannot be pushed.
    """
    with tempfile.TemporaryDirectory(prefix="cdk-review-pictures-") as name:
        git = _Git(Path(name), token=token, remote=remote)
        git("init", "--quiet", "--bare")
        for attempt in range(ATTEMPTS):
            before = _fetched(git, branch)
            kept = _kept_entries(git, before, folder)
            entries = kept + [
                f"100644 blob {git('hash-object', '-w', '--stdin', given=content)}\t{folder}/{path.rpartition('/')[2]}"
                for path, content in sorted(pictures.items())
            ]
            git("read-tree", "--empty")
            git("update-index", "--index-info", given="\n".join([*entries, ""]).encode())
            commit = git("commit-tree", git("write-tree"), "-m", "Pictures of the latest reviews")
            lease = f"--force-with-lease=refs/heads/{branch}:{before or ''}"
            try:
                git("push", "--quiet", lease, remote, f"{commit}:refs/heads/{branch}")
            except InputError:
                # Another review may have pushed it meanwhile.
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return


def _fetched(git: _Git, branch: str) -> str | None:
    listed = git("ls-remote", "--heads", git.remote, f"refs/heads/{branch}")
    if not listed:
        return None
    git("fetch", "--quiet", "--depth=1", git.remote, f"+refs/heads/{branch}:refs/kept")
    return git("rev-parse", "refs/kept")


def _kept_entries(git: _Git, commit: str | None, folder: str) -> list[str]:
    """The pictures of the pull requests with the highest numbers; other files are dropped."""
    if commit is None:
        return []
    by_folder: dict[str, list[str]] = {}
    for entry in git("ls-tree", "-r", commit).splitlines():
        path = entry.partition("\t")[2]
        if re.fullmatch(r"pull-\d+/[0-9a-f]{12}/[A-Za-z0-9._-]+\.png", path):
            by_folder.setdefault(path.partition("/")[0], []).append(entry)
    by_folder.pop(folder.partition("/")[0], None)
    latest = sorted(by_folder, key=lambda name: int(name.removeprefix("pull-")))[-(MOST_PULL_REQUESTS - 1) :]
    return [entry for name in latest for entry in by_folder[name]]


class _Git:
    """Git in a separate bare repository, with the token hidden from other processes."""

    def __init__(self, folder: Path, *, token: str, remote: str) -> None:
        self.remote = remote
        self._folder = folder
        user = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{remote}.extraheader" if remote.startswith("http") else "core.quotePath",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {user}" if remote.startswith("http") else "true",
            "GIT_AUTHOR_NAME": AUTHOR,
            "GIT_AUTHOR_EMAIL": "41898282+github-actions[bot]@users.noreply.github.com",
            "GIT_COMMITTER_NAME": AUTHOR,
            "GIT_COMMITTER_EMAIL": "41898282+github-actions[bot]@users.noreply.github.com",
        }

    def __call__(self, *arguments: str, given: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self._folder, env=self._environment, input=given, capture_output=True, check=False
        )
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
            raise InputError(f"git {arguments[0]}: {lines[-1][:160]}; are `contents: write` and the branch allowed?")
        return done.stdout.decode().strip()


def post(github: JsonApi, number: int, body: str, *, author: str) -> str:
    """Update this command's comment on a pull request, or create it; return its address."""
    page = 1
    while True:
        comments = github.get(f"/issues/{number}/comments", per_page=100, page=page)
        for comment in comments:
            own = (comment.get("user") or {}).get("login") == author
            if own and str(comment.get("body", "")).startswith(MARKER):
                return str(github.send("PATCH", f"/issues/comments/{comment['id']}", {"body": body})["html_url"])
        if len(comments) < 100:
            return str(github.send("POST", f"/issues/{number}/comments", {"body": body})["html_url"])
        page += 1


def post_review(arguments: argparse.Namespace, environment: Mapping[str, str]) -> str:
    """Runs all steps; returns a one-line summary."""
    missing = [name for name in ("GITHUB_EVENT_PATH", "GITHUB_REPOSITORY", "GITHUB_TOKEN") if not environment.get(name)]
    if missing:
        raise InputError(f"environment: no {', '.join(missing)}; run this in a workflow, with the token in its `env`")
    repository, token = environment["GITHUB_REPOSITORY"], environment["GITHUB_TOKEN"]
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    try:
        event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise InputError(f"event: cannot be read ({type(fault).__name__})") from None
    run = run_of(event)
    if run is None:
        return "no pull request started that run: nothing to post"
    api = environment.get("GITHUB_API_URL", "https://api.github.com")
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    github = JsonApi(name="GitHub", root=f"{api}/repos/{repository}", headers=headers)
    numbers = pull_requests_of(github, run)
    if not numbers:
        return f"no open pull request has {run.sha[:12]} as its head: it is closed, or has moved on"
    review = artifact_of(github, run, arguments.artifact)
    if review is None:
        return f"run {run.id} left no artifact {arguments.artifact}: nothing to post"
    remote = f"{server}/{repository}.git"
    footer = f"Of {run.sha[:12]}, by [this run]({server}/{repository}/actions/runs/{run.id})."
    done = []
    for number in numbers:
        folder = f"pull-{number}/{run.sha[:12]}"
        if review.pictures:
            keep_pictures(remote, arguments.pictures_branch, folder, review.pictures, token=token)
        root = f"{server}/{repository}/blob/{arguments.pictures_branch}/{folder}"
        pictures = {path: f"{root}/{path.rpartition('/')[2]}?raw=true" for path in review.pictures}
        body = comment_body(review.page, pictures=pictures, footer=footer)
        done.append(f"commented: {post(github, number, body, author=arguments.author)}")
    return "; ".join(done)


def main() -> None:
    """Runs the command; an error is one line on standard error and exit status 1."""
    parser = argparse.ArgumentParser(prog="cdk-review-comment", description=__doc__.partition("\n")[0])
    parser.add_argument("--artifact", default="review", help="the name of the run's artifact")
    parser.add_argument("--pictures-branch", default="review-pictures", help="the branch that keeps the pictures")
    parser.add_argument("--author", default=AUTHOR, help="whose comment is updated: the login of the token")
    arguments = parser.parse_args()
    try:
        print(post_review(arguments, os.environ))
    except InputError as error:
        print(f"cdk-review: {error}", file=sys.stderr)
        sys.exit(1)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        print(f"cdk-review: GitHub: an answer of another shape ({type(error).__name__}: {error})", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
