"""The ML API: it receives a post and returns the flag 0 or 1 within the deadline."""

from __future__ import annotations

import logging

from flask import Flask, Response

from api_settings import ApiSettings
from identity.reviewer_access import Everybody, ListedSubjects, PoolGroup, RequiredClaim, ReviewerAccess
from identity.reviewer_identity import ReviewerIdentity, region_keys_url
from web.answers import json_answer
from web.docs_page import DOCS_POLICY, docs_page
from web.errors import answer_errors
from web.moderation_api import add_moderation
from web.moderation_request import LARGEST_BODY_BYTES
from web.openapi import openapi_document
from web.request_log import log_requests
from web.review_api import review_blueprint
from web.service import Service, start_service

_log = logging.getLogger("api")


def create_app(settings: ApiSettings | None = None) -> Flask:
    """Return the Flask application for gunicorn; without `settings` it reads them from environment variables."""
    chosen = settings or ApiSettings.from_environment()
    service = start_service(chosen)
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    # One more than allowed: Flask cuts a chunked body off here without an error, and the extra byte shows its size.
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES + 1
    log_requests(app, service=chosen.service_name, breaker=service.breaker)
    answer_errors(app)
    _add_health(app, service)
    _add_reviews(app, service, chosen)
    _add_description(app)
    add_moderation(app, service.moderation)
    return app


def _add_health(app: Flask, service: Service) -> None:
    @app.get("/health")
    def health() -> Response:
        # Independent of the endpoint: without it the API still answers by its policy, and nothing would improve if the
        # load balancer replaced every task.
        return json_answer({"status": "up", "breaker": service.breaker.state})


def _add_reviews(app: Flask, service: Service, settings: ApiSettings) -> None:
    if service.store is None or settings.review_signer is None:
        return
    identity = ReviewerIdentity(
        signer=settings.review_signer,
        keys_url=settings.review_keys_url or region_keys_url(settings.review_signer, settings.region),
        access=_reviewer_access(settings),
    )
    described = openapi_document(reviews=True)
    app.register_blueprint(
        review_blueprint(store=service.store, identity=identity, service=settings.service_name, document=described)
    )


def _add_description(app: Flask) -> None:
    # Only reviewers get the description of the calls for reviewers, below /review.
    document = openapi_document(reviews=False)
    page = docs_page(document, as_json="/openapi.json")

    @app.get("/openapi.json")
    def openapi() -> Response:
        return json_answer(document)

    @app.get("/docs")
    def docs() -> Response:
        response = Response(page, mimetype="text/html")
        response.headers["Content-Security-Policy"] = DOCS_POLICY
        return response


def _reviewer_access(settings: ApiSettings) -> ReviewerAccess:
    if settings.review_subjects is not None:
        return ListedSubjects(settings.review_subjects)
    if settings.review_claim is not None and settings.review_claim_value is not None:
        return RequiredClaim(settings.review_claim, settings.review_claim_value)
    if settings.review_group is not None and settings.review_pool and settings.review_pool_client:
        return PoolGroup(
            group=settings.review_group, issuer=settings.review_pool, client_id=settings.review_pool_client
        )
    _log.warning("every user of the identity provider is a reviewer: set REVIEW_CLAIM, REVIEW_GROUP or REVIEW_SUBJECTS")
    return Everybody()
