"""The ML API: a post in, the flag 0 or 1 out, within the deadline."""

from __future__ import annotations

import atexit
import json
import logging
import re
import time
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from flask import Flask, Response, g, request
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    RequestTimeout,
)

from api_settings import ApiSettings, FallbackPolicy
from aws.dynamodb_client import DYNAMODB_FAULTS
from endpoint.circuit_breaker import BreakerState, CircuitBreaker
from endpoint.client import EndpointClient, NoProbabilityError, Reason, Score
from identity.reviewer_access import Everybody, ListedSubjects, PoolGroup, RequiredClaim, ReviewerAccess
from identity.reviewer_identity import ReviewerIdentity, region_keys_url
from observability.embedded_metrics import Decisions, count_line, metric_line
from outbox import Outbox, OutboxFullError
from reviews.draws import ReviewDraws
from reviews.outbox import ReviewLetter, review_outbox
from reviews.post import ReviewRule
from reviews.store import ReviewStore
from reviews.tally import write_every_minute, write_or_log
from unscored.late_decisions import LateDecisions
from unscored.late_scoring import AT_ONCE, LateScoring, NotSettledError
from unscored.outbox import unscored_outbox
from unscored.post import STORING_ALONE, UnscoredPost
from web.docs_page import DOCS_POLICY, docs_page
from web.moderation_request import LARGEST_BODY_BYTES, asked_of
from web.openapi import openapi_document
from web.reading_worker import seconds_in_queue, seconds_reading
from web.review_api import review_blueprint
from web.task_end import TASK_END

WORKER_THREADS: Final = 16
"""Requests that one worker process answers at once."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9=:;._-]{1,128}")
_HSTS: Final = "max-age=31536000"
"""A year. Without subdomains, which may be another team's."""
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")
_log = logging.getLogger("api")


def create_app(settings: ApiSettings | None = None) -> Flask:
    """Return the API as gunicorn runs it; the settings come from the environment unless they are given."""
    chosen = settings or ApiSettings.from_environment()
    deadline_seconds = chosen.deadline_ms / 1000
    # What is left of the deadline is for reading the request and writing the answer; and for the queue to take a post.
    answer_seconds = deadline_seconds - min(0.05, deadline_seconds / 5)
    patience_seconds = answer_seconds - (min(0.2, deadline_seconds / 5) if chosen.unscored_queue_url else 0)
    breaker = CircuitBreaker(failures=chosen.breaker_failures, open_seconds=chosen.breaker_open_ms / 1000)
    endpoint = EndpointClient(
        endpoint_name=chosen.endpoint_name,
        region=chosen.region,
        connections_kept=WORKER_THREADS + AT_ONCE,
        breaker=breaker,
        patience_seconds=patience_seconds,
    )
    store = _review_store(chosen)
    lost = partial(_count, "LostPosts", chosen.service_name)
    reviews = None
    if store is not None:
        reviews = review_outbox(
            store=store,
            region=chosen.region,
            queue_url=chosen.unscored_queue_url,
            stored=partial(_count, "ReviewStored", chosen.service_name, 1),
            lost=lost,
        )
        write_every_minute(store.write_tally)
    outbox = None
    # With `error` the client is told to come back, and keeps its post.
    if chosen.unscored_queue_url and chosen.fallback_policy is not FallbackPolicy.ERROR:
        outbox = unscored_outbox(queue_url=chosen.unscored_queue_url, region=chosen.region, lost=lost)
    if chosen.unscored_queue_url:
        late = LateScoring(
            queue_url=chosen.unscored_queue_url,
            region=chosen.region,
            endpoint=endpoint,
            breaker=breaker,
            patience_seconds=patience_seconds,
            decide=partial(_decide_late, chosen, breaker, store, LateDecisions(store)),
        )
        TASK_END.on_begin(late.stop)
    outboxes = [each for each in (outbox, reviews) if each is not None]
    for each in outboxes:
        TASK_END.on_begin(each.close)
    atexit.register(_hand_over, outboxes, store, chosen.stop_timeout_seconds)
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    # One more than is allowed: a chunked body is cut off here in silence, and must then be seen to be too large.
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES + 1

    @app.before_request
    def start() -> None:
        g.queued = seconds_in_queue()
        g.reading = seconds_reading()
        g.arrived = time.monotonic() - g.queued
        # Reading counts against the deadline.
        g.started = g.arrived - g.reading
        g.fields = {}
        g.decisions = None
        given = request.headers.get("X-Request-Id") or request.headers.get("X-Amzn-Trace-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        # A rule of paths before this service reads what came: `/%72eview` and `//review` must not be `/review` here.
        if not _PATH.fullmatch(request.environ.get("RAW_URI", request.path).partition("?")[0]):
            raise NotFound

    @app.after_request
    def log(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        # The load balancer says how the client speaks to it, and replaces what the client says of that itself.
        if request.headers.get("X-Forwarded-Proto") == "https":
            response.headers["Strict-Transport-Security"] = _HSTS
        # Without the reading: how slowly a client sends says nothing of this service.
        milliseconds = (time.monotonic() - g.arrived) * 1000
        fields = {
            "request_id": g.request_id,
            "method": request.method if request.url_rule else None,
            # The rule and not the path: a path can hold anything, a post too.
            "path": request.url_rule.rule if request.url_rule else None,
            "status": response.status_code,
            "ms": round(milliseconds, 1),
            "queue_ms": round(g.queued * 1000, 1),
            "read_ms": round(g.reading * 1000, 1),
            **g.fields,
        }
        _log.info("request", extra={"fields": fields})
        if g.decisions is not None:
            line = metric_line(
                g.decisions,
                service=chosen.service_name,
                milliseconds=milliseconds,
                breaker_closed=breaker.state is BreakerState.CLOSED,
            )
            _log.info("metrics", extra={"fields": line})
        return response

    @app.errorhandler(HTTPException)
    def refuse(fault: HTTPException) -> Response:
        response = _answer({"error": _error_line(fault)}, fault.code or 500)
        if isinstance(fault, MethodNotAllowed) and fault.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(fault.valid_methods))
        return response

    @app.get("/health")
    def health() -> Response:
        # Asks nothing of the endpoint: without one the API still answers by its policy, and to have the load balancer
        # replace every task would help nobody.
        return _answer({"status": "up", "breaker": breaker.state})

    if store is not None and chosen.review_signer is not None:
        identity = ReviewerIdentity(
            signer=chosen.review_signer,
            keys_url=chosen.review_keys_url or region_keys_url(chosen.review_signer, chosen.region),
            access=_reviewer_access(chosen),
        )
        described = openapi_document(reviews=True)
        app.register_blueprint(
            review_blueprint(store=store, identity=identity, service=chosen.service_name, document=described)
        )
    # What reviewers may call is described to them alone, below /review.
    document = openapi_document(reviews=False)
    page = docs_page(document, as_json="/openapi.json")

    @app.get("/openapi.json")
    def openapi() -> Response:
        return _answer(document)

    @app.get("/docs")
    def docs() -> Response:
        response = Response(page, mimetype="text/html")
        response.headers["Content-Security-Policy"] = DOCS_POLICY
        return response

    @app.post("/v1/moderations")
    def moderate() -> Response:
        asked = asked_of(request)
        until = g.started + patience_seconds
        scores: list[Score] = []
        try:
            if isinstance(asked, str):
                scores = [endpoint.score(asked, until=until)]
            else:
                scores = endpoint.score_all(asked, until=until)
        except NoProbabilityError as fault:
            if fault.reason is Reason.DEADLINE and g.reading > patience_seconds / 2:
                # Its sender took the time that the endpoint would have had: no fallback, which alarms count.
                raise RequestTimeout(
                    "the request came too slowly: the deadline passed before it could be scored"
                ) from fault
            posts = 1 if isinstance(asked, str) else len(asked)
            g.fields |= {"fallback": fault.reason, "fault": fault.fault}
            if chosen.fallback_policy is FallbackPolicy.ERROR:
                return _refuse_for_now(posts, f"the endpoint gave no probability: {fault.reason}")
            if outbox is not None:
                try:
                    g.fields["queued"] = outbox.put(_unscored(asked, fault.reason), until=g.started + answer_seconds)
                except OutboxFullError:
                    # The client has the post still: better it comes back than that the post is lost.
                    g.fields["queued"] = False
                    return _refuse_for_now(posts, "posts that wait to be scored fill the memory")
            flag = int(chosen.fallback_policy is FallbackPolicy.FLAG)
            fallback: dict[str, object] = {"flag": flag, "probability": None, "model": None, "fallback": fault.reason}
            moderations = [fallback] * posts
            # What waits to be scored is stored when it has been.
            letters = _review_letters(chosen, asked, moderations) if outbox is None else []
        else:
            moderations = [
                {
                    "flag": int(score.probability >= chosen.threshold),
                    "probability": score.probability,
                    "model": score.model,
                }
                for score in scores
            ]
            letters = _review_letters(chosen, asked, moderations)
        if reviews is not None and letters:
            try:
                g.fields["stored"] = reviews.put(letters, until=g.started + answer_seconds)
            except OutboxFullError:
                g.fields["stored"] = False
                return _refuse_for_now(len(moderations), "posts that wait to be stored fill the memory")
        if store is not None:
            # What was answered by policy has no score; it is counted when it gets one.
            for text, score in zip(_texts(asked), scores, strict=False):
                _count_served(store, text, score)
        return _answer_moderations(asked, moderations)

    return app


def _answer(content: dict[str, object], status: int = 200) -> Response:
    return Response(json.dumps(content, ensure_ascii=False) + "\n", status=status, mimetype="application/json")


def _refuse_for_now(posts: int, error: str) -> Response:
    g.decisions = Decisions(posts=0, flags=0, fallbacks=posts, model=None)
    response = _answer({"error": error}, 503)
    response.headers["Retry-After"] = "1"
    return response


def _unscored(asked: str | list[str], reason: Reason) -> list[UnscoredPost]:
    received = _now()
    return [
        UnscoredPost(request_id=g.request_id, place=place, received=received, reason=reason, text=text)
        for place, text in enumerate(_texts(asked))
    ]


def _texts(asked: str | list[str]) -> list[str]:
    return [asked] if isinstance(asked, str) else asked


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _review_store(settings: ApiSettings) -> ReviewStore | None:
    if settings.review_table is None:
        return None
    return ReviewStore(
        table=settings.review_table,
        region=settings.region,
        shards=settings.review_shards,
        lease_seconds=settings.review_lease_seconds,
        ttl_days=settings.review_ttl_days,
        daily_quota=settings.review_daily_quota,
        over_quota=partial(_count, "ReviewOverQuota", settings.service_name, 1),
        decisions_a_minute=settings.review_decisions_a_minute,
    )


def _reviewer_access(settings: ApiSettings) -> ReviewerAccess:
    if settings.review_subjects is not None:
        return ListedSubjects(settings.review_subjects)
    if settings.review_claim is not None and settings.review_claim_value is not None:
        return RequiredClaim(settings.review_claim, settings.review_claim_value)
    if settings.review_group is not None and settings.review_pool and settings.review_pool_client:
        return PoolGroup(
            group=settings.review_group, issuer=settings.review_pool, client_id=settings.review_pool_client
        )
    _log.warning("whoever the identity provider knows is a reviewer: set REVIEW_CLAIM, REVIEW_GROUP or REVIEW_SUBJECTS")
    return Everybody()


def _review_rule(settings: ApiSettings) -> ReviewRule:
    return ReviewRule(
        threshold=settings.threshold,
        sample_percent=settings.review_sample_percent,
        second_percent=settings.review_second_percent,
        # Without a table nothing is drawn, and with one there is a secret.
        draws=ReviewDraws(settings.review_draw_secret or ""),
    )


def _review_letters(
    settings: ApiSettings, asked: str | list[str], moderations: list[dict[str, Any]]
) -> list[ReviewLetter]:
    """What of a request reviewers get."""
    if settings.review_table is None:
        return []
    rule, received = _review_rule(settings), _now()
    letters = []
    for place, (text, moderation) in enumerate(zip(_texts(asked), moderations, strict=True)):
        probability, model = moderation["probability"], moderation["model"]
        post = rule.chosen(
            text, flagged=bool(moderation["flag"]), probability=probability, model=model, received=received
        )
        if post is not None:
            otherwise = UnscoredPost(
                request_id=g.request_id,
                place=place,
                received=received,
                reason=STORING_ALONE,
                text=text,
                probability=probability,
                model=model,
            )
            letters.append(ReviewLetter(post=post, otherwise=otherwise))
    return letters


def _count(name: str, service: str, count: int) -> None:
    _log.info("metrics", extra={"fields": count_line(name, count, service=service)})


def _count_served(store: ReviewStore, text: str, score: Score) -> None:
    store.served.add(text, probability=score.probability, model=score.model, unseen_percent=score.unseen_percent)


def _hand_over(outboxes: list[Outbox[Any]], store: ReviewStore | None, stop_timeout_seconds: int) -> None:
    """Give up what is in memory, before the process ends."""
    TASK_END.begin()
    until = TASK_END.drain_until(stop_timeout_seconds)
    for outbox in outboxes:
        outbox.drain(until=until)
    if store is not None:
        # Last: what was drained is counted too.
        write_or_log(store.write_tally)


def _decide_late(
    settings: ApiSettings,
    breaker: CircuitBreaker,
    store: ReviewStore | None,
    decisions: LateDecisions,
    post: UnscoredPost,
    score: Score,
) -> None:
    flag = int(score.probability >= settings.threshold)
    try:
        if store is not None:
            # What the client was told counts: a reviewer sees every post that was flagged.
            by_policy = post.reason != STORING_ALONE and settings.fallback_policy is FallbackPolicy.FLAG
            chosen = _review_rule(settings).chosen(
                post.text,
                flagged=bool(flag) or by_policy,
                probability=score.probability,
                model=score.model,
                received=post.received,
            )
            if chosen is not None and store.keep(chosen):
                _count("ReviewStored", settings.service_name, 1)
        if post.reason == STORING_ALONE or not decisions.is_first(post):
            return
        if store is not None:
            _count_served(store, post.text, score)
    except DYNAMODB_FAULTS as fault:
        _log.warning("the review table took no post", extra={"fields": {"fault": type(fault).__name__}})
        raise NotSettledError from fault
    fields = {
        "request_id": post.request_id,
        "place": post.place,
        "received": post.received,
        "flag": flag,
        "probability": score.probability,
        "model": score.model,
    }
    _log.info("late_decision", extra={"fields": fields})
    waited = datetime.now(UTC) - datetime.fromisoformat(post.received)
    line = metric_line(
        Decisions(posts=1, flags=flag, fallbacks=0, model=score.model, late=True),
        service=settings.service_name,
        # Another task's clock may be ahead of this one's.
        milliseconds=max(0.0, waited.total_seconds() * 1000),
        breaker_closed=breaker.state is BreakerState.CLOSED,
    )
    _log.info("metrics", extra={"fields": line})


def _answer_moderations(asked: str | list[str], moderations: list[dict[str, object]]) -> Response:
    flags = sum(1 for moderation in moderations if moderation["flag"])
    fallbacks = sum("fallback" in moderation for moderation in moderations)
    model = moderations[0]["model"]
    g.decisions = Decisions(
        posts=len(moderations), flags=flags, fallbacks=fallbacks, model=None if model is None else str(model)
    )
    g.fields |= {"model": model}
    if isinstance(asked, str):
        (moderation,) = moderations
        g.fields |= {"flag": moderation["flag"]}
        return _answer(moderation)
    g.fields |= {"posts": len(moderations), "flags": flags}
    return _answer({"moderations": moderations})


def _error_line(fault: HTTPException) -> str:
    if isinstance(fault, NotFound):
        return "there is nothing here: send posts to /v1/moderations"
    if isinstance(fault, MethodNotAllowed):
        return f"the method is not allowed here: use {' or '.join(sorted(fault.valid_methods or ()))}"
    if isinstance(fault, RequestEntityTooLarge) and fault.description == RequestEntityTooLarge.description:
        return f"the body is too large: at most {LARGEST_BODY_BYTES} bytes are allowed"
    if isinstance(fault, InternalServerError):
        return "the API failed: its log tells why"
    return " ".join((fault.description or fault.name).split())
