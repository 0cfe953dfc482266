"""Posts reviews as one note of their merge requests, from a pipeline of GitLab that runs no code of a merge request.

    python -m cdk_review.post_note

It runs on a schedule, on the protected default branch, the only place of the protected token. For each open merge
request it reads the output of the review job of its head commit, as untrusted data, and writes or updates one note. The
module needs only the standard library, so that nothing is installed where the token is.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from cdk_review.artifact import Review, read_review
from cdk_review.comment_text import MARKER, comment_body
from cdk_review.json_api import JsonApi
from cdk_review.post_comment import SHA
from fargate_capacity.input_error import InputError

NEEDED = ("CI_API_V4_URL", "CI_PROJECT_ID", "CDK_REVIEW_TOKEN")
MOST_MERGE_REQUESTS = 50
MOST_PAGES = 20
# GitLab executes a line such as `/merge` of a note with the rights of its author.
_QUICK_ACTION = re.compile(r"(?m)^([ \t>]*)/(?=[A-Za-z])")
_INVISIBLE = "\u200b"


class GitLab(JsonApi):
    """The needed calls of GitLab's API."""

    def __init__(self, *, api: str, token: str) -> None:
        super().__init__(name="GitLab", root=api, headers={"PRIVATE-TOKEN": token})

    def pages(self, path: str, **query: str | int) -> Iterator[Any]:
        """All items of a list."""
        for page in range(1, MOST_PAGES + 1):
            items = self.get(path, per_page=100, page=page, **query)
            yield from items
            if len(items) < 100:
                return

    def upload(self, project: str, name: str, content: bytes) -> str:
        """Uploads a file to the project; returns its address for Markdown."""
        boundary = uuid.uuid4().hex
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        body = f"{head}Content-Type: image/png\r\n\r\n".encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        return str(self.call("POST", f"/projects/{project}/uploads", body, kind=kind)["url"])


def review_of(gitlab: GitLab, project: str, number: int, sha: str, job_name: str) -> tuple[Review, str] | None:
    """The output of the review job of a merge request's head commit, and the job's address; None if there is none."""
    for pipeline in gitlab.get(f"/projects/{project}/merge_requests/{number}/pipelines", per_page=20):
        if pipeline["sha"] != sha:
            continue
        # The pipeline of a fork runs in the fork.
        place = str(pipeline.get("project_id", project))
        for job in gitlab.pages(f"/projects/{place}/pipelines/{pipeline['id']}/jobs"):
            if job["name"] == job_name and job.get("artifacts_file"):
                left = gitlab.archive(f"/projects/{place}/jobs/{int(job['id'])}/artifacts")
                return read_review(left, folder="review/"), str(job["web_url"])
    return None


def note_body(review: Review, *, pictures: Mapping[str, str], footer: str) -> str:
    """The text of the note: untrusted text cannot notify anybody or execute quick actions."""
    page = _QUICK_ACTION.sub(rf"\1{_INVISIBLE}/", review.page)
    return comment_body(page, pictures=pictures, footer=footer)


def post_notes(arguments: argparse.Namespace, environment: Mapping[str, str]) -> list[str]:
    """Runs all steps; returns one line per merge request."""
    missing = [name for name in NEEDED if not environment.get(name)]
    if missing:
        raise InputError(f"environment: no {', '.join(missing)}; run this on a schedule of a protected branch")
    project = environment["CI_PROJECT_ID"]
    gitlab = GitLab(api=environment["CI_API_V4_URL"], token=environment["CDK_REVIEW_TOKEN"])
    author = gitlab.get("/user")["id"]
    found = gitlab.get(
        f"/projects/{project}/merge_requests", state="opened", order_by="updated_at", per_page=MOST_MERGE_REQUESTS
    )
    done = []
    for merge_request in found:
        number, sha = int(merge_request["iid"]), str(merge_request.get("sha"))
        if not SHA.fullmatch(sha):
            continue
        try:
            said = _posted(gitlab, project, number, sha, author=author, job_name=arguments.job)
        except InputError as fault:
            # One merge request's artifact, which is untrusted, must not prevent the other notes.
            said = f"nothing posted: {fault}"
        if said:
            done.append(f"!{number}: {said}")
    return done or ["nothing to post"]


def _posted(gitlab: GitLab, project: str, number: int, sha: str, *, author: int, job_name: str) -> str | None:
    notes = f"/projects/{project}/merge_requests/{number}/notes"
    own = next(
        (
            note
            for note in gitlab.pages(notes)
            if (note.get("author") or {}).get("id") == author and str(note.get("body", "")).startswith(MARKER)
        ),
        None,
    )
    mark = f"Of {sha[:12]}, by "
    if own is not None and mark in str(own["body"]).rpartition("\n")[2]:
        return None
    found = review_of(gitlab, project, number, sha, job_name)
    if found is None:
        return None
    review, address = found
    pictures = {
        path: gitlab.upload(project, path.rpartition("/")[2], content) for path, content in review.pictures.items()
    }
    body = note_body(review, pictures=pictures, footer=f"{mark}[this job]({address}).")
    if own is not None:
        gitlab.send("PUT", f"{notes}/{own['id']}", {"body": body})
        return "updated its note"
    gitlab.send("POST", notes, {"body": body})
    return "made a note"


def main() -> None:
    """Runs the command; an error is one line on standard error and exit status 1."""
    parser = argparse.ArgumentParser(prog="cdk-review-note", description=__doc__.partition("\n")[0])
    parser.add_argument("--job", default="review", help="the name of the job that makes the review")
    arguments = parser.parse_args()
    try:
        print("\n".join(post_notes(arguments, os.environ)))
    except InputError as error:
        print(f"cdk-review: {error}", file=sys.stderr)
        sys.exit(1)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        print(f"cdk-review: GitLab: an answer of another shape ({type(error).__name__}: {error})", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
