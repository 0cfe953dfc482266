"""The reviewers' HTTP API: list, take, decide, undo and the day's statistics; and the reviewers' page."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    NotFound,
    RequestEntityTooLarge,
    Unauthorized,
    UnsupportedMediaType,
)

from aws.clients import AWS_FAULTS
from identity.balancer_keys import NoKeyError, TooManyKeysError
from identity.reviewer_access import TOKEN_HEADER, NotAllowedError
from identity.reviewer_identity import HEADER, NotAReviewerError, Reviewer, ReviewerIdentity
from observability.embedded_metrics import count_line
from reviews.entry import Verdict
from reviews.pace import TooFastError
from reviews.queue import MOST_COUNTED, MOST_TAKEN
from reviews.store import ReviewConflictError, ReviewStore, UnknownPostError
from web.answers import json_answer, refusal_for_now
from web.docs_page import DOCS_POLICY, docs_page
from web.request_body import body_of

LONGEST_REASON: Final = 500
"""Characters."""
USUALLY_TAKEN: Final = 10
_LARGEST_BODY_BYTES: Final = 16_384
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_PAGE_FILES: Final = {"": ("html", "text/html"), "page.css": ("css", "text/css"), "page.js": ("js", "text/javascript")}
# The page loads its own files only, and cannot create HTML from strings, whatever a post contains.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_log = logging.getLogger("api")


class _NoTableError(Exception):
    """The review table does not answer."""


@contextmanager
def _asking_the_table() -> Iterator[None]:
    """Wrap calls of the store only: its error types include ValueError, which a client can cause elsewhere."""
    try:
        yield
    except AWS_FAULTS as fault:
        _log.warning("the review table does not answer", extra={"fields": {"fault": type(fault).__name__}})
        raise _NoTableError from fault


def review_blueprint(
    *, store: ReviewStore, identity: ReviewerIdentity, service: str, document: dict[str, Any]
) -> Blueprint:
    """Return the routes; each one refuses a request that the load balancer has not authenticated.

    document: the OpenAPI document that describes them.
    """
    routes = Blueprint("review", __name__)
    files = {
        name: (Path(__file__).with_name(f"review_page.{ending}").read_bytes(), mimetype)
        for name, (ending, mimetype) in _PAGE_FILES.items()
    }

    described = docs_page(document, as_json="/review/openapi.json")

    def reviewer() -> Reviewer:
        try:
            known = identity.of(request.headers.get(HEADER), request.headers.get(TOKEN_HEADER))
        except NotAReviewerError as fault:
            raise Unauthorized(str(fault)) from fault
        except NotAllowedError as fault:
            # The log shows the user's subject to the operator who is asked to give access.
            g.fields |= {"refused": fault.subject}
            raise Forbidden(str(fault)) from fault
        g.fields |= {"reviewer": known.subject}
        return known

    @routes.errorhandler(NoKeyError)
    def no_key(fault: NoKeyError) -> Response:
        return refusal_for_now("the load balancer's key cannot be fetched: try again")

    @routes.errorhandler(TooManyKeysError)
    def too_many_keys(fault: TooManyKeysError) -> Response:
        # A client that sends headers with unknown keys is not an error of this service.
        return refusal_for_now("too many unknown keys are being looked up: try again", 429)

    @routes.errorhandler(_NoTableError)
    def no_table(fault: _NoTableError) -> Response:
        return refusal_for_now("the review table does not answer: try again")

    @routes.errorhandler(TooFastError)
    def too_fast(fault: TooFastError) -> Response:
        return refusal_for_now(str(fault), 429, seconds=fault.seconds)

    @routes.errorhandler(ReviewConflictError)
    def conflict(fault: ReviewConflictError) -> Response:
        return json_answer({"error": str(fault)}, 409)

    @routes.errorhandler(UnknownPostError)
    def unknown(fault: UnknownPostError) -> Response:
        return json_answer({"error": "there is no such post"}, 404)

    @routes.after_request
    def guard(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    @routes.get("/review", defaults={"name": ""})
    @routes.get("/review/<name>")
    def page(name: str) -> Response:
        reviewer()
        if name not in files:
            raise NotFound
        content, mimetype = files[name]
        return Response(content, mimetype=mimetype)

    @routes.get("/review/docs")
    def docs() -> Response:
        reviewer()
        response = Response(described, mimetype="text/html")
        response.headers["Content-Security-Policy"] = DOCS_POLICY
        return response

    @routes.get("/review/openapi.json")
    def openapi() -> Response:
        reviewer()
        return json_answer(document)

    @routes.get("/v1/reviews")
    def waiting() -> Response:
        me = reviewer()
        count = _count(request.args.get("count", str(USUALLY_TAKEN)))
        with _asking_the_table():
            posts = store.waiting(reviewer=me.subject, count=count)
        return json_answer({"posts": [entry.shown(lease=False) for entry in posts]})

    @routes.post("/v1/reviews/take")
    def take() -> Response:
        me, body = reviewer(), _body({"count": int})
        count = _count(str(body.get("count", USUALLY_TAKEN)))
        with _asking_the_table():
            taken = store.take(reviewer=me.subject, count=count)
        return json_answer({"posts": [entry.shown(lease=True) for entry in taken]})

    @routes.post("/v1/reviews/<post>/decide")
    def decide(post: str) -> Response:
        me, body = reviewer(), _body({"lease": str, "verdict": str, "reason": str})
        if body.get("verdict") not in list(Verdict):
            raise BadRequest(f"verdict must be one of {', '.join(Verdict)}")
        if not body.get("lease"):
            raise BadRequest("lease must be the one that came with the post")
        reason = body.get("reason", "")
        if len(reason) > LONGEST_REASON or not _is_whole(reason):
            raise BadRequest(f"reason must have at most {LONGEST_REASON} characters, without half of a surrogate pair")
        verdict = Verdict(body["verdict"])
        with _asking_the_table():
            entry = store.decide(
                reviewer=me.subject, post=_key(post), lease=body["lease"], verdict=verdict, reason=reason
            )
        _log.info("metrics", extra={"fields": count_line("ReviewDecisions", 1, service=service)})
        return json_answer({"post": entry.post, "verdict": entry.verdict, "decision": entry.decisions})

    @routes.post("/v1/reviews/<post>/undo")
    def undo(post: str) -> Response:
        me, body = reviewer(), _body({"decision": int})
        if "decision" not in body:
            raise BadRequest("decision must be the number of your decision")
        with _asking_the_table():
            entry = store.undo(reviewer=me.subject, post=_key(post), decision=body["decision"])
        return json_answer(entry.shown(lease=True))

    @routes.get("/v1/reviews/statistics")
    def statistics() -> Response:
        me = reviewer()
        date = datetime.now(UTC).date().isoformat()
        with _asking_the_table():
            day = store.day(reviewer=me.subject, date=date)
            count = store.waiting_count()
        return json_answer(
            {
                "date": date,
                "reviewer": me.name,
                "everybody": day.everybody,
                "mine": day.mine,
                "waiting": count,
                "waiting_more": count >= MOST_COUNTED,
            }
        )

    return routes


def _body(allowed: dict[str, type]) -> dict[str, Any]:
    """Return the JSON object of a request that this service's own page has sent."""
    if not _of_this_service(request.headers.get("Origin", "")) or (
        request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"
    ):
        raise Forbidden("send it from this service's own page: the Origin header must name this service")
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("the content type must be application/json")
    try:
        content = body_of(request, largest=_LARGEST_BODY_BYTES)
    except RequestEntityTooLarge as fault:
        # A message of its own, because the API's message states the API's limit.
        raise RequestEntityTooLarge(
            f"the body is too large: at most {_LARGEST_BODY_BYTES} bytes are allowed"
        ) from fault
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as fault:
        raise BadRequest("the body is not JSON") from fault
    if not isinstance(body, dict) or not set(body) <= set(allowed):
        raise BadRequest(f"the body must be an object with {', '.join(allowed)}")
    for name, value in body.items():
        if type(value) is not allowed[name]:
            raise BadRequest(f"{name} must be {'a string' if allowed[name] is str else 'a whole number'}")
    return body


def _of_this_service(origin: str) -> bool:
    try:
        named = urlsplit(origin).netloc
    except ValueError:  # brackets without a valid address
        return False
    # Without a Host header both would be empty.
    return named != "" and named == request.host


def _key(post: str) -> str:
    """Return a post's key from the path; a longer one would make DynamoDB answer with an error."""
    if not _KEY.fullmatch(post):
        raise UnknownPostError
    return post


def _count(given: str) -> int:
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= MOST_TAKEN:
        raise BadRequest(f"count must be a whole number from 1 to {MOST_TAKEN}")
    return int(given)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
