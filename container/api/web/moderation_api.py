"""The route that clients send posts to."""

from __future__ import annotations

from flask import Flask, Response, g, request
from werkzeug.exceptions import RequestTimeout

from moderation.decision import Decision
from moderation.moderation import Moderation, NotTakenError, SlowSenderError
from observability.embedded_metrics import Decisions
from web.answers import json_answer, refusal_for_now
from web.moderation_request import asked_of


def add_moderation(app: Flask, moderation: Moderation) -> None:
    """Make `app` answer `POST /v1/moderations`."""

    @app.post("/v1/moderations")
    def moderate() -> Response:
        asked = asked_of(request)
        try:
            decisions = moderation.moderate(
                asked, request_id=g.request_id, started=g.started, reading_seconds=g.reading, fields=g.fields
            )
        except SlowSenderError as fault:
            raise RequestTimeout(str(fault)) from fault
        except NotTakenError as fault:
            posts = 1 if isinstance(asked, str) else len(asked)
            g.decisions = Decisions(posts=0, flags=0, fallbacks=posts, model=None)
            return refusal_for_now(str(fault))
        return _answer(asked, decisions)


def _answer(asked: str | list[str], decisions: list[Decision]) -> Response:
    flags = sum(decision.flag for decision in decisions)
    fallbacks = sum(decision.fallback is not None for decision in decisions)
    model = decisions[0].model
    g.decisions = Decisions(posts=len(decisions), flags=flags, fallbacks=fallbacks, model=model)
    g.fields |= {"model": model}
    if isinstance(asked, str):
        (decision,) = decisions
        g.fields |= {"flag": decision.flag}
        return json_answer(_shown(decision))
    g.fields |= {"posts": len(decisions), "flags": flags}
    return json_answer({"moderations": [_shown(decision) for decision in decisions]})


def _shown(decision: Decision) -> dict[str, object]:
    shown: dict[str, object] = {
        "flag": decision.flag,
        "probability": decision.probability,
        "model": decision.model,
    }
    return shown if decision.fallback is None else {**shown, "fallback": decision.fallback}
