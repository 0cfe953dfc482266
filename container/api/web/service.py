"""The parts of a worker process that its routes use: the endpoint's client, the outboxes, late scoring."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from api_settings import ApiSettings, FallbackPolicy
from endpoint.circuit_breaker import CircuitBreaker
from endpoint.client import EndpointClient
from moderation.decision import Moderator
from moderation.late_decisions import LateDecisions
from moderation.late_scoring import AT_ONCE, LateScoring
from moderation.moderation import Moderation
from moderation.review_intake import ReviewIntake
from observability.embedded_metrics import count_line
from outbox import Outbox
from reviews.draws import ReviewDraws
from reviews.outbox import ReviewLetter, review_outbox
from reviews.post import ReviewRule
from reviews.store import ReviewStore
from reviews.tally import write_every_minute, write_or_log
from unscored.outbox import unscored_outbox
from web.task_end import TASK_END

WORKER_THREADS: Final = 16
"""The requests that one worker process answers at once."""
_log = logging.getLogger("api")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The objects that the routes use. `store` is None if there is no table for reviewers."""

    moderation: Moderation
    breaker: CircuitBreaker
    store: ReviewStore | None


def start_service(settings: ApiSettings) -> Service:
    """Start the parts that the settings ask for, in threads; when the process ends, they hand over posts in memory."""
    deadline_seconds = settings.deadline_ms / 1000
    # The rest of the deadline is for reading the request, writing the answer, and sending a post to the queue.
    answer_seconds = deadline_seconds - min(0.05, deadline_seconds / 5)
    patience_seconds = answer_seconds - (min(0.2, deadline_seconds / 5) if settings.unscored_queue_url else 0)
    breaker = CircuitBreaker(failures=settings.breaker_failures, open_seconds=settings.breaker_open_ms / 1000)
    endpoint = EndpointClient(
        endpoint_name=settings.endpoint_name,
        region=settings.region,
        connections_kept=WORKER_THREADS + AT_ONCE,
        breaker=breaker,
        patience_seconds=patience_seconds,
    )
    moderator = Moderator(endpoint=endpoint, threshold=settings.threshold, policy=settings.fallback_policy)
    lost = partial(_count, "LostPosts", settings.service_name)
    store = _review_store(settings)
    letters = None if store is None else _letters_for_reviewers(settings, store, lost)
    reviews = None if store is None or letters is None else _review_intake(settings, store, letters)
    unscored = None
    # With `error` the client keeps the post and sends it again, so no queue is needed.
    if settings.unscored_queue_url and settings.fallback_policy is not FallbackPolicy.ERROR:
        unscored = unscored_outbox(queue_url=settings.unscored_queue_url, region=settings.region, lost=lost)
    if settings.unscored_queue_url:
        late = LateScoring(
            queue_url=settings.unscored_queue_url,
            region=settings.region,
            moderator=moderator,
            breaker=breaker,
            patience_seconds=patience_seconds,
            record=LateDecisions(
                moderator=moderator,
                reviews=reviews,
                mark_late=None if store is None else store.mark_late,
                breaker=breaker,
                service=settings.service_name,
            ).record,
        )
        TASK_END.on_begin(late.stop)
    outboxes = [each for each in (unscored, letters) if each is not None]
    for each in outboxes:
        TASK_END.on_begin(each.close)
    atexit.register(_hand_over, outboxes, store, settings.stop_timeout_seconds)
    moderation = Moderation(
        moderator=moderator,
        patience_seconds=patience_seconds,
        answer_seconds=answer_seconds,
        unscored=unscored,
        reviews=reviews,
    )
    return Service(moderation=moderation, breaker=breaker, store=store)


def _review_store(settings: ApiSettings) -> ReviewStore | None:
    if settings.review_table is None:
        return None
    store = ReviewStore(
        table=settings.review_table,
        region=settings.region,
        shards=settings.review_shards,
        lease_seconds=settings.review_lease_seconds,
        ttl_days=settings.review_ttl_days,
        daily_quota=settings.review_daily_quota,
        over_quota=partial(_count, "ReviewOverQuota", settings.service_name, 1),
        decisions_a_minute=settings.review_decisions_a_minute,
    )
    write_every_minute(store.write_tally)
    return store


def _letters_for_reviewers(
    settings: ApiSettings, store: ReviewStore, lost: Callable[[int], None]
) -> Outbox[ReviewLetter]:
    return review_outbox(
        store=store,
        region=settings.region,
        queue_url=settings.unscored_queue_url,
        stored=_stored(settings),
        lost=lost,
    )


def _review_intake(settings: ApiSettings, store: ReviewStore, letters: Outbox[ReviewLetter]) -> ReviewIntake:
    rule = ReviewRule(
        threshold=settings.threshold,
        sample_percent=settings.review_sample_percent,
        second_percent=settings.review_second_percent,
        # The settings require a secret if there is a table.
        draws=ReviewDraws(settings.review_draw_secret or ""),
    )
    return ReviewIntake(rule=rule, store=store, outbox=letters, stored=_stored(settings))


def _stored(settings: ApiSettings) -> Callable[[], None]:
    return partial(_count, "ReviewStored", settings.service_name, 1)


def _count(name: str, service: str, count: int) -> None:
    _log.info("metrics", extra={"fields": count_line(name, count, service=service)})


def _hand_over(outboxes: list[Outbox[Any]], store: ReviewStore | None, stop_timeout_seconds: int) -> None:
    """Hand over the posts in memory before the process ends."""
    TASK_END.begin()
    until = TASK_END.drain_until(stop_timeout_seconds)
    for outbox in outboxes:
        outbox.drain(until=until)
    if store is not None:
        # Last, because draining counts posts too.
        write_or_log(store.write_tally)
