"""The ML API's settings, from environment variables."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

MIN_DEADLINE_MS: Final = 50
MAX_DEADLINE_MS: Final = 60_000
"""SageMaker itself ends an invocation after 60 seconds."""
MOST_BREAKER_FAILURES: Final = 1_000_000
MIN_BREAKER_OPEN_MS: Final = 100
MAX_BREAKER_OPEN_MS: Final = 600_000
_ENDPOINT_NAME: Final = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")
_QUEUE_URL: Final = re.compile(r"https?://[^\s/]+/\S+")
_TABLE_NAME: Final = re.compile(r"[A-Za-z0-9._-]{3,255}")
_BALANCER_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/app/\S{1,200}"
)
# Plain HTTP only to this machine, which a rehearsal uses.
_KEYS_URL: Final = re.compile(r"https://[^\s/]+\S*|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?(?:/\S*)?")
SHORTEST_DRAW_SECRET: Final = 32
MOST_SHARDS: Final = 64
MIN_LEASE_SECONDS: Final = 10
MAX_LEASE_SECONDS: Final = 86_400
MOST_TTL_DAYS: Final = 3650
MOST_DAILY_QUOTA: Final = 100_000_000
MIN_STOP_TIMEOUT_SECONDS: Final = 2
MAX_STOP_TIMEOUT_SECONDS: Final = 3600
MOST_DECISIONS_A_MINUTE: Final = 6000
_SERVICE_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BREAKER_FAILURES: Final = f"a whole number from 1 to {MOST_BREAKER_FAILURES}"
_BREAKER_OPEN_MS: Final = f"a whole number from {MIN_BREAKER_OPEN_MS} to {MAX_BREAKER_OPEN_MS}"
_LEASE_SECONDS: Final = f"a whole number from {MIN_LEASE_SECONDS} to {MAX_LEASE_SECONDS}"
_DRAW_SECRET: Final = f"{SHORTEST_DRAW_SECRET} characters or more that nobody else knows"
_TTL_DAYS: Final = f"a whole number from 1 to {MOST_TTL_DAYS}"
_DAILY_QUOTA: Final = f"a whole number from 1 to {MOST_DAILY_QUOTA}"
_STOP_TIMEOUT_SECONDS: Final = f"a whole number from {MIN_STOP_TIMEOUT_SECONDS} to {MAX_STOP_TIMEOUT_SECONDS}"
_DECISIONS_A_MINUTE: Final = f"a whole number from 1 to {MOST_DECISIONS_A_MINUTE}"
_SHARDS: Final = f"a whole number from 1 to {MOST_SHARDS}"


class SettingsError(ValueError):
    """A setting is missing or invalid. The message is one line: the variable, its value, the allowed values."""


class FallbackPolicy(StrEnum):
    """What the API answers when the endpoint returned no probability."""

    FLAG = "flag"
    PASS = "pass"  # noqa: S105 (a policy, not a password)
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """The settings of the API.

    endpoint_name: the SageMaker endpoint that scores posts (ENDPOINT_NAME).
    region: the region of the endpoint (AWS_REGION, else AWS_DEFAULT_REGION).
    threshold: posts at or above this probability are flagged (THRESHOLD, 0 to 1).
    deadline_ms: the API answers every moderation request within these milliseconds, whatever the endpoint does
        (DEADLINE_MS).
    fallback_policy: the answer to a request without a probability; by default the post is flagged (FALLBACK_POLICY).
    breaker_failures: the circuit breaker opens after this many failures in a row (BREAKER_FAILURES).
    breaker_open_ms: after these milliseconds the open circuit breaker lets one request through (BREAKER_OPEN_MS).
    unscored_queue_url: the SQS queue for posts that were not scored in time; without a queue they get the fallback
        answer and are not scored later (UNSCORED_QUEUE_URL).
    review_table: the table of posts for reviewers; without a table no posts are stored (REVIEW_TABLE).
    review_draw_secret: the secret that selects which posts reviewers see, and their place in the queue. A writer who
        does not know it cannot write a post that is sure to be selected. A table needs it (REVIEW_DRAW_SECRET).
    review_sample_percent: the share of unflagged posts that are stored too, 0 to 100 (REVIEW_SAMPLE_PERCENT).
    review_second_percent: the share of stored posts that two reviewers judge, 0 to 100 (REVIEW_SECOND_PERCENT).
    review_lease_seconds: for this time no other reviewer gets a post that a reviewer has taken (REVIEW_LEASE_SECONDS).
    review_ttl_days: a post without a decision is removed after this many days; None for never (REVIEW_TTL_DAYS).
    review_daily_quota: the most posts that all tasks together store per day of UTC (REVIEW_DAILY_QUOTA).
    review_decisions_a_minute: the most decisions that a reviewer may make per minute (REVIEW_DECISIONS_A_MINUTE).
    review_shards: the number of parts of the queue's index (REVIEW_SHARDS).
    review_signer: the ARN of the load balancer whose signed header identifies a reviewer; without it there is no page
        for reviewers (REVIEW_SIGNER).
    review_subjects: the reviewers among the users whom that load balancer signs in, by their `sub`
        (REVIEW_SUBJECTS, separated by blanks).
    review_claim, review_claim_value: or the users who have this claim with this value (REVIEW_CLAIM,
        REVIEW_CLAIM_VALUE).
    review_group, review_pool, review_pool_client: or the users in this group of this Cognito user pool, by an access
        token for this client (REVIEW_GROUP, REVIEW_POOL, REVIEW_POOL_CLIENT). Without any of these settings every
        user whom the load balancer signs in is a reviewer.
    review_keys_url: the address of that load balancer's public keys; by default its region's (REVIEW_KEYS_URL).
    stop_timeout_seconds: the time from SIGTERM until ECS kills the container, which uses it to hand over the posts in
        memory; by default ECS's own 30 seconds (STOP_TIMEOUT_SECONDS).
    service_name: the value of the metrics' dimension `service` (SERVICE_NAME).
    host, port: the address that the API listens on: every interface by default (HOST, PORT).
    """

    endpoint_name: str
    region: str
    threshold: float = 0.5
    deadline_ms: int = 1000
    fallback_policy: FallbackPolicy = FallbackPolicy.FLAG
    breaker_failures: int = 5
    breaker_open_ms: int = 5000
    unscored_queue_url: str | None = None
    review_table: str | None = None
    review_draw_secret: str | None = field(default=None, repr=False)
    review_sample_percent: float = 1.0
    review_second_percent: float = 5.0
    review_lease_seconds: int = 900
    review_ttl_days: int | None = None
    review_daily_quota: int = 100_000
    review_shards: int = 1
    review_signer: str | None = None
    review_keys_url: str | None = None
    stop_timeout_seconds: int = 30
    review_decisions_a_minute: int = 60
    review_subjects: frozenset[str] | None = None
    review_claim: str | None = None
    review_claim_value: str | None = None
    review_group: str | None = None
    review_pool: str | None = None
    review_pool_client: str | None = None
    service_name: str = "moderation-api"
    host: str = "0.0.0.0"  # noqa: S104 (the load balancer comes from outside the container)
    port: int = 8080

    def __post_init__(self) -> None:
        if not _ENDPOINT_NAME.fullmatch(self.endpoint_name):
            raise _refusal("ENDPOINT_NAME", self.endpoint_name, "1 to 63 letters, digits and inner hyphens")
        if not 0 <= self.threshold <= 1:
            raise _refusal("THRESHOLD", self.threshold, "a number from 0 to 1")
        if not MIN_DEADLINE_MS <= self.deadline_ms <= MAX_DEADLINE_MS:
            raise _refusal(
                "DEADLINE_MS", self.deadline_ms, f"a whole number from {MIN_DEADLINE_MS} to {MAX_DEADLINE_MS}"
            )
        if not 1 <= self.breaker_failures <= MOST_BREAKER_FAILURES:
            raise _refusal("BREAKER_FAILURES", self.breaker_failures, _BREAKER_FAILURES)
        if not MIN_BREAKER_OPEN_MS <= self.breaker_open_ms <= MAX_BREAKER_OPEN_MS:
            raise _refusal("BREAKER_OPEN_MS", self.breaker_open_ms, _BREAKER_OPEN_MS)
        if self.unscored_queue_url is not None and not _QUEUE_URL.fullmatch(self.unscored_queue_url):
            raise _refusal("UNSCORED_QUEUE_URL", self.unscored_queue_url, "the https:// or http:// URL of an SQS queue")
        self._check_reviews()
        if not MIN_STOP_TIMEOUT_SECONDS <= self.stop_timeout_seconds <= MAX_STOP_TIMEOUT_SECONDS:
            raise _refusal("STOP_TIMEOUT_SECONDS", self.stop_timeout_seconds, _STOP_TIMEOUT_SECONDS)
        if not _SERVICE_NAME.fullmatch(self.service_name):
            raise _refusal("SERVICE_NAME", self.service_name, "1 to 64 letters, digits, dots, hyphens and underscores")
        if not 1 <= self.port <= 65535:
            raise _refusal("PORT", self.port, "a whole number from 1 to 65535")

    def _check_reviews(self) -> None:
        if self.review_table is not None and not _TABLE_NAME.fullmatch(self.review_table):
            raise _refusal("REVIEW_TABLE", self.review_table, "the name of a DynamoDB table")
        if self.review_table is not None and self.review_draw_secret is None:
            raise SettingsError(f"REVIEW_DRAW_SECRET is not set: REVIEW_TABLE needs it, {_DRAW_SECRET}")
        if self.review_draw_secret is not None and len(self.review_draw_secret) < SHORTEST_DRAW_SECRET:
            # The message does not quote the secret, because other people read the log.
            raise SettingsError(
                f"REVIEW_DRAW_SECRET has {len(self.review_draw_secret)} characters: allowed is {_DRAW_SECRET}"
            )
        for variable, percent in (
            ("REVIEW_SAMPLE_PERCENT", self.review_sample_percent),
            ("REVIEW_SECOND_PERCENT", self.review_second_percent),
        ):
            if not 0 <= percent <= 100:
                raise _refusal(variable, percent, "a number from 0 to 100")
        if not MIN_LEASE_SECONDS <= self.review_lease_seconds <= MAX_LEASE_SECONDS:
            raise _refusal("REVIEW_LEASE_SECONDS", self.review_lease_seconds, _LEASE_SECONDS)
        if self.review_ttl_days is not None and not 1 <= self.review_ttl_days <= MOST_TTL_DAYS:
            raise _refusal("REVIEW_TTL_DAYS", self.review_ttl_days, _TTL_DAYS)
        if not 1 <= self.review_daily_quota <= MOST_DAILY_QUOTA:
            raise _refusal("REVIEW_DAILY_QUOTA", self.review_daily_quota, _DAILY_QUOTA)
        if not 1 <= self.review_decisions_a_minute <= MOST_DECISIONS_A_MINUTE:
            raise _refusal("REVIEW_DECISIONS_A_MINUTE", self.review_decisions_a_minute, _DECISIONS_A_MINUTE)
        if not 1 <= self.review_shards <= MOST_SHARDS:
            raise _refusal("REVIEW_SHARDS", self.review_shards, _SHARDS)
        if self.review_signer is not None and not _BALANCER_ARN.fullmatch(self.review_signer):
            raise _refusal("REVIEW_SIGNER", self.review_signer, "the ARN of an application load balancer")
        if self.review_signer is not None and self.review_table is None:
            raise SettingsError("REVIEW_TABLE is not set: REVIEW_SIGNER opens a page that needs it")
        self._check_access()
        if self.review_keys_url is not None and not _KEYS_URL.fullmatch(self.review_keys_url):
            raise _refusal("REVIEW_KEYS_URL", self.review_keys_url, "an https:// URL, or http:// on this machine")

    def _check_access(self) -> None:
        ways: dict[str, dict[str, object]] = {
            "REVIEW_SUBJECTS": {"REVIEW_SUBJECTS": self.review_subjects},
            "REVIEW_CLAIM": {"REVIEW_CLAIM": self.review_claim, "REVIEW_CLAIM_VALUE": self.review_claim_value},
            "REVIEW_GROUP": {
                "REVIEW_GROUP": self.review_group,
                "REVIEW_POOL": self.review_pool,
                "REVIEW_POOL_CLIENT": self.review_pool_client,
            },
        }
        chosen = [way for way, parts in ways.items() if any(part is not None for part in parts.values())]
        if len(chosen) > 1:
            raise SettingsError(f"{' and '.join(chosen)} are set: allowed is one way to say who is a reviewer")
        for way in chosen:
            for variable, part in ways[way].items():
                if part is None:
                    raise SettingsError(f"{variable} is not set: {', '.join(ways[way])} go together")
        if self.review_pool is not None and not _KEYS_URL.fullmatch(self.review_pool):
            raise _refusal("REVIEW_POOL", self.review_pool, "an https:// URL, or http:// on this machine")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise SettingsError for the first that is missing or invalid."""
        policy = environment.get("FALLBACK_POLICY", FallbackPolicy.FLAG)
        if policy not in list(FallbackPolicy):
            raise _refusal("FALLBACK_POLICY", policy, ", ".join(FallbackPolicy))
        return cls(
            endpoint_name=_required(environment, "ENDPOINT_NAME", "the name of the SageMaker endpoint"),
            region=environment.get("AWS_REGION")
            or _required(environment, "AWS_DEFAULT_REGION", "the endpoint's region, there or in AWS_REGION"),
            threshold=_number(environment, "THRESHOLD", 0.5),
            deadline_ms=_whole_number(
                environment, "DEADLINE_MS", 1000, f"a whole number from {MIN_DEADLINE_MS} to {MAX_DEADLINE_MS}"
            ),
            fallback_policy=FallbackPolicy(policy),
            breaker_failures=_whole_number(environment, "BREAKER_FAILURES", 5, _BREAKER_FAILURES),
            breaker_open_ms=_whole_number(environment, "BREAKER_OPEN_MS", 5000, _BREAKER_OPEN_MS),
            unscored_queue_url=environment.get("UNSCORED_QUEUE_URL") or None,
            review_table=environment.get("REVIEW_TABLE") or None,
            review_draw_secret=environment.get("REVIEW_DRAW_SECRET") or None,
            review_sample_percent=_number(environment, "REVIEW_SAMPLE_PERCENT", 1.0, 100),
            review_second_percent=_number(environment, "REVIEW_SECOND_PERCENT", 5.0, 100),
            review_lease_seconds=_whole_number(environment, "REVIEW_LEASE_SECONDS", 900, _LEASE_SECONDS),
            review_ttl_days=(
                _whole_number(environment, "REVIEW_TTL_DAYS", 0, _TTL_DAYS)
                if environment.get("REVIEW_TTL_DAYS")
                else None
            ),
            review_daily_quota=_whole_number(environment, "REVIEW_DAILY_QUOTA", 100_000, _DAILY_QUOTA),
            review_shards=_whole_number(environment, "REVIEW_SHARDS", 1, _SHARDS),
            review_signer=environment.get("REVIEW_SIGNER") or None,
            review_keys_url=environment.get("REVIEW_KEYS_URL") or None,
            stop_timeout_seconds=_whole_number(environment, "STOP_TIMEOUT_SECONDS", 30, _STOP_TIMEOUT_SECONDS),
            review_decisions_a_minute=_whole_number(environment, "REVIEW_DECISIONS_A_MINUTE", 60, _DECISIONS_A_MINUTE),
            # Blanks alone are an empty list, which admits nobody; an empty variable means no list.
            review_subjects=(
                frozenset(environment["REVIEW_SUBJECTS"].split()) if environment.get("REVIEW_SUBJECTS") else None
            ),
            review_claim=environment.get("REVIEW_CLAIM") or None,
            review_claim_value=environment.get("REVIEW_CLAIM_VALUE") or None,
            review_group=environment.get("REVIEW_GROUP") or None,
            review_pool=environment.get("REVIEW_POOL") or None,
            review_pool_client=environment.get("REVIEW_POOL_CLIENT") or None,
            service_name=environment.get("SERVICE_NAME", "moderation-api"),
            host=environment.get("HOST") or "0.0.0.0",  # noqa: S104 (as above)
            port=_whole_number(environment, "PORT", 8080, "a whole number from 1 to 65535"),
        )


def _refusal(variable: str, got: object, allowed: str) -> SettingsError:
    return SettingsError(f"{variable} is {str(got)!r}: allowed is {allowed}")


def _required(environment: Mapping[str, str], variable: str, allowed: str) -> str:
    value = environment.get(variable, "")
    if not value:
        raise SettingsError(f"{variable} is not set: it must be {allowed}")
    return value


def _number(environment: Mapping[str, str], variable: str, default: float, most: int = 1) -> float:
    value = environment.get(variable)
    if value is None:
        return default
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise _refusal(variable, value, f"a number from 0 to {most}")
    return number


def _whole_number(environment: Mapping[str, str], variable: str, default: int, allowed: str) -> int:
    value = environment.get(variable)
    if value is None:
        return default
    if not re.fullmatch(r"-?[0-9]{1,9}", value):
        raise _refusal(variable, value, allowed)
    return int(value)
