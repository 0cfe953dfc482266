import json
import re
import threading
import time
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.container.api.conftest import Api, Runtime

MODERATIONS = "/v1/moderations"
JSON = {"Content-Type": "application/json"}


def send(
    api: Api, body: bytes, content_type: str | None = "application/json", path: str = MODERATIONS
) -> requests.Response:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return requests.post(api.url + path, data=body, headers=headers, timeout=20)


def error_of(response: requests.Response) -> str:
    assert response.headers["Content-Type"] == "application/json"
    content = response.json()
    assert list(content) == ["error"]
    assert content["error"]
    assert "\n" not in content["error"]
    return str(content["error"])


@pytest.mark.parametrize(
    ("predictions", "flag"),
    [("0.93", 1), ("0.6", 1), ("0.5999", 0), ("0", 0), ("1", 1), ("1e-3", 0), ("0.60000001", 1)],
)
def test_flag_is_one_at_and_above_the_threshold(api: Api, runtime: Runtime, predictions: str, flag: int) -> None:
    runtime.answers(predictions)
    response = api.moderate()
    assert response.status_code == 200
    assert response.json() == {"flag": flag, "probability": float(predictions), "model": "moderation-7"}


def test_model_is_null_where_the_endpoint_names_none(api: Api, runtime: Runtime) -> None:
    runtime.answers("0.1", model=None)
    assert api.moderate().json() == {"flag": 0, "probability": 0.1, "model": None}


@pytest.mark.parametrize(
    "text", ["a", "改行\nタブ\t", "😭🙏🏽👨‍👩‍👧", "\0", "שלום\u202e", "[SEP] [MASK]", "𠮷" * 10_000, '"\\']
)
def test_the_endpoint_gets_the_text_as_it_came(api: Api, runtime: Runtime, text: str) -> None:
    assert api.moderate(text).json()["flag"] == 1
    assert runtime.invocations == [("/endpoints/moderation/invocations", {"text": text})]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b'{"text": "a"} b', "the body is not JSON"),
        (b'\xff\xfe{"text"', "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"9" * 5000, "the body is not JSON"),
        (b"[]", "the body has no text"),
        (b'"text"', "the body has no text"),
        (b"{}", "the body has no text"),
        (b'{"texts": []}', "texts has 0 items: 1 to 32 are allowed"),
        (json.dumps({"texts": ["a"] * 33}).encode(), "texts has 33 items: 1 to 32 are allowed"),
        (b'{"texts": "a"}', "texts must be an array, got a string"),
        (b'{"texts": null}', "texts must be an array, got null"),
        (b'{"texts": ["a", 1]}', "texts[1] must be a string, got a number"),
        (b'{"texts": ["a", " "]}', "texts[1] must not be empty"),
        (b'{"texts": ["a", "b\\udc00"]}', "texts[1] contains half of a surrogate pair at character 1"),
        (b'{"text": "a", "texts": ["a"]}', "the body has text and texts: send one of them"),
        (b'{"text": null}', "text must be a string, got null"),
        (b'{"text": 1}', "text must be a string, got a number"),
        (b'{"text": NaN}', "text must be a string, got a number"),
        (b'{"text": true}', "text must be a string, got a boolean"),
        (b'{"text": ["a"]}', "text must be a string, got an array"),
        (b'{"text": {}}', "text must be a string, got an object"),
        (b'{"text": ""}', "text must not be empty"),
        ('{"text": " \\n　"}'.encode(), "text must not be empty"),
        (b'{"text": "' + b"a" * 10_001 + b'"}', "text has 10001 characters: at most 10000 are allowed"),
        (b'{"text": "ab\\ud83d"}', "text contains half of a surrogate pair at character 2"),
    ],
)
def test_refuses_a_body_it_cannot_use(api: Api, runtime: Runtime, body: Any, message: str) -> None:
    response = send(api, body)
    assert response.status_code == 400
    assert error_of(response).startswith(message)
    assert runtime.invocations == []


def test_several_texts_are_answered_in_their_order(api: Api, runtime: Runtime) -> None:
    runtime.answers(["0.1", "0.6", "0.93"])
    response = send(api, json.dumps({"texts": ["一", "二", "三"]}).encode())
    assert response.status_code == 200
    assert response.json() == {
        "moderations": [
            {"flag": 0, "probability": 0.1, "model": "moderation-7"},
            {"flag": 1, "probability": 0.6, "model": "moderation-7"},
            {"flag": 1, "probability": 0.93, "model": "moderation-7"},
        ]
    }
    assert runtime.invocations == [("/endpoints/moderation/invocations", {"texts": ["一", "二", "三"]})]
    (line,) = api.log_lines(response.headers["X-Request-Id"])
    assert (line["posts"], line["flags"]) == (3, 2)


@pytest.mark.parametrize("predictions", ["0.93", ["0.1"], ["0.1", "0.2", "0.3"], ["0.1", 2], ["0.1", "nan"], None])
def test_several_texts_are_answered_by_policy_as_one(api: Api, runtime: Runtime, predictions: Any) -> None:
    runtime.answers(predictions)
    fallback = {"flag": 1, "probability": None, "model": None, "fallback": "unusable_answer"}
    assert send(api, b'{"texts": ["a", "b"]}').json() == {"moderations": [fallback, fallback]}


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonl", "nonsense"]
)
def test_refuses_other_content_types(api: Api, content_type: str | None) -> None:
    response = send(api, b'{"text": "a"}', content_type)
    assert response.status_code == 415
    assert error_of(response) == "the content type must be application/json"


def test_takes_a_content_type_with_parameters(api: Api, runtime: Runtime) -> None:
    assert send(api, b'{"text": "a"}', "application/json; charset=utf-8").status_code == 200


def test_takes_a_chunked_body(api: Api, runtime: Runtime) -> None:
    response = requests.post(api.url + MODERATIONS, data=iter([b'{"text"', b': "a"}']), headers=JSON, timeout=20)
    assert response.status_code == 200


def test_takes_a_body_of_the_largest_size(api: Api, runtime: Runtime) -> None:
    assert send(api, b'{"text": "a"}'.ljust(1 << 20)).status_code == 200


@pytest.mark.parametrize("size", [(1 << 20) + 1, 6 << 20])
def test_refuses_a_body_that_is_too_large(api: Api, size: Any) -> None:
    response = send(api, b'{"text": "a"}'.ljust(size))
    assert response.status_code == 413
    assert "1048576" in error_of(response)


def test_refuses_a_chunked_body_that_is_too_large(api: Api) -> None:
    chunks = (b"a" * 65_536 for _ in range(17))
    response = requests.post(api.url + MODERATIONS, data=chunks, headers=JSON, timeout=20)
    assert response.status_code == 413
    assert "1048576" in error_of(response)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/moderations/", "/v2/moderations", "/%00", "/../etc"])
def test_unknown_paths_are_404(api: Api, path: str) -> None:
    response = send(api, b"{}", path=path)
    assert response.status_code == 404
    assert "/v1/moderations" in error_of(response)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", MODERATIONS, "POST"), ("DELETE", MODERATIONS, "POST"), ("POST", "/health", "GET")],
)
def test_other_methods_are_405(api: Api, method: str, path: Any, allowed: str) -> None:
    response = requests.request(method, api.url + path, timeout=20)
    assert response.status_code == 405
    assert allowed in response.headers["Allow"]
    assert allowed in error_of(response)


def test_health_asks_nothing_of_the_endpoint(api: Api, runtime: Runtime) -> None:
    assert requests.get(f"{api.url}/health", timeout=5).json() == {"status": "up", "breaker": "closed"}
    assert runtime.invocations == []


def test_connections_to_the_endpoint_are_kept(api: Api, runtime: Runtime) -> None:
    for _ in range(4):  # both worker processes have one by then, or will open it now
        api.moderate()
    before = runtime.connections
    for _ in range(20):
        assert api.moderate().status_code == 200
    assert runtime.connections - before <= 2


def test_many_at_once_are_answered_together(api: Api, runtime: Runtime) -> None:
    runtime.answers("0.93", after_seconds=0.3)
    answers: list[dict[str, object]] = []
    threads = [threading.Thread(target=lambda: answers.append(api.moderate().json())) for _ in range(8)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 8 * 0.3 / 2
    assert [answer["probability"] for answer in answers] == [0.93] * 8


def test_every_request_is_one_line_of_the_log_without_the_text(api: Api, runtime: Runtime) -> None:
    secret = "この文はログに出ない"
    response = api.moderate(secret, headers={"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"})
    request_id = "Root=1-67891233-abcdef012345678912345678"
    assert response.headers["X-Request-Id"] == request_id
    (line,) = api.log_lines(request_id)
    assert line["message"] == "request"
    assert line["path"] == MODERATIONS
    assert line["status"] == 200
    assert line["flag"] == 1
    assert line["model"] == "moderation-7"
    assert 0 < line["ms"] < 800
    send(api, json.dumps({"text": [secret]}).encode(), path=MODERATIONS)
    send(api, b"{}", path=f"/{secret}?text={secret}")
    runtime.answers_body(
        json.dumps({"Message": secret, "OriginalMessage": secret}).encode(),
        status="424 Failed",
        headers=["X-Amzn-ErrorType: ModelError"],
    )
    assert api.moderate(secret).json()["fallback"] == "model_error"
    text = api.log_text_at_rest()
    assert secret not in text
    assert secret not in text.encode().decode("unicode_escape", errors="replace")


def test_a_request_id_that_could_forge_a_log_line_is_replaced(api: Api, runtime: Runtime) -> None:
    response = api.moderate(headers={"X-Request-Id": 'a" b'})
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-Id"])
    assert len(api.log_lines(response.headers["X-Request-Id"])) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
bodies = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    json_values.map(lambda value: json.dumps({"text": value}).encode()),
    json_values.map(lambda value: json.dumps({"texts": value}).encode()),
    st.text(st.characters(exclude_categories=()), max_size=300).map(lambda text: json.dumps({"text": text}).encode()),
    st.text(max_size=100).map(lambda text: ('{"text": "' + text + '"}').encode()),
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=bodies,
    content_type=st.sampled_from(["application/json"] * 5 + ["text/plain", "application/json; charset=x", ""]),
)
def test_no_body_breaks_it(api: Api, runtime: Runtime, body: Any, content_type: Any) -> None:
    response = send(api, body, content_type)
    assert response.status_code in (200, 400, 415)
    if response.status_code == 200:
        for answer in response.json().get("moderations", [response.json()]):
            assert answer["flag"] == 1
    else:
        error_of(response)
    assert api.process.poll() is None
