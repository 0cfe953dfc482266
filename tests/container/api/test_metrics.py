import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.container.api.conftest import Api, Runtime
from tests.waiting import until

SECRET = "この文は計測に出ない"


def metric_lines(api: Api) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in api.log_text_at_rest().splitlines()]
    return [line for line in lines if "_aws" in line]


def latest(api: Api, ask: Callable[[], object]) -> dict[str, Any]:
    """The data points of what is asked, as CloudWatch Logs takes them out of the line that follows the answer."""
    before = len(metric_lines(api))
    ask()
    until(lambda: len(metric_lines(api)) > before)
    line = metric_lines(api)[-1]
    assert set(line["_aws"]) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(line["_aws"]["Timestamp"], int)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Moderation/Api"
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert units == {
        "Decisions": "Count",
        "Flags": "Count",
        "Fallbacks": "Count",
        "Latency": "Milliseconds",
        "BreakerOpen": "None",
    }
    dimensions = [{name: line[name] for name in names} for names in directive["Dimensions"]]
    assert all(isinstance(line[name], int | float) for name in units)
    assert line["Latency"] > 0
    return {name: line[name] for name in units if name != "Latency"} | {"dimensions": dimensions}


def test_a_decision_is_a_data_point_by_service_and_model(api: Api, runtime: Runtime) -> None:
    assert latest(api, lambda: api.moderate(SECRET)) == {
        "Decisions": 1,
        "Flags": 1,
        "Fallbacks": 0,
        "BreakerOpen": 0,
        "dimensions": [{"service": "moderation-api"}, {"service": "moderation-api", "model": "moderation-7"}],
    }
    assert SECRET not in json.dumps(metric_lines(api), ensure_ascii=False)


def test_posts_of_one_request_are_counted_one_by_one(api: Api, runtime: Runtime) -> None:
    def ask() -> None:
        requests.post(f"{api.url}/v1/moderations", json={"texts": ["a", "b", "c"]}, timeout=20)

    runtime.answers(["0.1", "0.7", "0.8"])
    assert latest(api, ask).items() >= {"Decisions": 3, "Flags": 2, "Fallbacks": 0}.items()
    runtime.answers(None)
    refused = latest(api, ask)
    assert refused.items() >= {"Decisions": 3, "Flags": 3, "Fallbacks": 3}.items()
    assert refused["dimensions"] == [{"service": "moderation-api"}]


@pytest.mark.parametrize("model", ["a" * 64, "夜", "a_b"])
def test_what_cannot_be_a_model_makes_no_dimension(api: Api, runtime: Runtime, model: str) -> None:
    runtime.answers("0.1", model=model)
    assert latest(api, api.moderate)["dimensions"] == [{"service": "moderation-api"}]


def test_what_is_refused_is_no_data_point(api: Api) -> None:
    before = len(metric_lines(api))
    api.moderate("")
    requests.get(f"{api.url}/health", timeout=5)
    assert len(metric_lines(api)) == before


def test_an_open_breaker_and_a_refusal_by_policy_show(start_api: Callable[..., Api], runtime: Runtime) -> None:
    api = start_api(
        runtime.url, FALLBACK_POLICY="error", BREAKER_FAILURES="1", BREAKER_OPEN_MS="60000", SERVICE_NAME="posts"
    )
    runtime.answers("2")
    answers: list[requests.Response] = []
    assert latest(api, lambda: answers.append(api.moderate())) == {
        "Decisions": 0,
        "Flags": 0,
        "Fallbacks": 1,
        "BreakerOpen": 1,
        "dimensions": [{"service": "posts"}],
    }
    assert [answer.status_code for answer in answers] == [503]
