from typing import Any

import pytest

from moderation_rehearsal.load import Load
from moderation_rehearsal.sample_posts import Post

POSTS = [Post(text=f"post {number}", label=0) for number in range(5)]


def test_posts_go_round_until_the_end_and_models_are_counted(api: Any, eventually: Any) -> None:
    with Load(POSTS, port=api.server.server_port, clients=2, pause_seconds=0) as load:
        eventually(lambda: len(api.asked) > 12)
        api.answer["model"] = "two"
        eventually(lambda: load.models.get("two", 0) > 3)
    report = load.report()
    assert set(api.asked) == {post.text for post in POSTS}
    assert (report.failed, report.requests) == (0, len(api.asked))
    assert list(report.models) == ["one", "two"]
    assert sum(report.models.values()) == report.requests
    assert report.latency_p50_ms is not None


@pytest.mark.parametrize(
    ("status", "answer", "failure"),
    [
        (503, {"error": "busy"}, "the ML API answered 503"),
        (
            200,
            {"flag": 1, "probability": None, "model": None, "fallback": "deadline"},
            "without the endpoint: deadline",
        ),
    ],
)
def test_what_the_endpoint_did_not_answer_has_failed(
    api: Any, eventually: Any, status: int, answer: dict[str, Any], failure: str
) -> None:
    with Load(POSTS, port=api.server.server_port, clients=1, pause_seconds=0) as load:
        eventually(lambda: load.models)
        api.status, api.answer = status, answer
        eventually(lambda: load.report().failed > 1)
    report = load.report()
    assert failure in report.failures[0]
    assert report.failed + sum(report.models.values()) == report.requests


def test_an_api_that_is_gone_fails_every_request(eventually: Any) -> None:
    with Load(POSTS, port=1, clients=1, pause_seconds=0) as load:
        eventually(lambda: load.report().failed > 10)
    report = load.report()
    assert (report.models, report.latency_p99_ms) == ({}, None)
    assert len(report.failures) == 5
    assert "the ML API does not answer" in report.failures[0]
