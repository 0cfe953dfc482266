import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Serving = Callable[..., AbstractContextManager[Any]]

QUESTION = "夜泣きで悩んでいます。5ヶ月です"
VIOLATION = "副業で30万円、LINEを追加して"


def test_answers_one_text_with_one_probability_as_a_string(server: Any) -> None:
    response = server.invoke({"text": VIOLATION})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Amzn-SageMaker-Custom-Attributes"] == "model=moderation-1"
    assert set(response.json()) == {"predictions"}
    assert isinstance(response.json()["predictions"], str)
    assert 0.5 < float(response.json()["predictions"]) <= 1


def test_answers_a_list_in_its_order(server: Any) -> None:
    alone = [server.invoke({"text": text}).json()["predictions"] for text in (QUESTION, VIOLATION, "あ")]
    together = server.invoke({"texts": [QUESTION, VIOLATION, "あ"]})
    assert together.status_code == 200
    assert together.json() == {"predictions": alone}
    assert float(alone[0]) < 0.5 < float(alone[1])


def test_ping_is_200(server: Any) -> None:
    assert server.ping().status_code == 200


def test_takes_a_charset_and_texts_at_the_limits(server: Any) -> None:
    assert server.invoke({"text": "あ" * 20_000}, "application/json; charset=utf-8").status_code == 200
    assert len(server.invoke({"texts": ["あ"] * 64}).json()["predictions"]) == 64


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "body: not JSON"),
        (b"{", "body: not JSON"),
        (b"\xff", "body: not UTF-8 at byte 0"),
        (b"[" * 100_000, "body: JSON beyond what is sensible"),
        (b'{"text": ' + b"1" * 5_000 + b"}", "body: JSON beyond what is sensible"),
        ([], "body: got a list; give an object with text or texts"),
        (None, "body: got null"),
        ({}, "body: got 0 keys; give an object with exactly one of text and texts"),
        ({"txt": "a"}, "give an object with exactly one of text and texts"),
        ({"text": "a", "texts": ["a"]}, "body: got both text and texts"),
        ({"text": "a", "language": "ja"}, "body: got 2 keys"),
        ({"text": None}, "text: got null; give a string"),
        ({"text": 1.5}, "text: got a number; give a string"),
        ({"text": True}, "text: got a boolean; give a string"),
        ({"text": ["a"]}, "text: got a list; give a string"),
        ({"text": ""}, "text: got an empty text"),
        ({"text": " \n\u3000"}, "text: got an empty text"),
        ({"text": "a" * 20_001}, "text: got 20001 characters; allowed are 20000"),
        (b'{"text": "a\\ud800b"}', "text: half of a surrogate pair at character 1"),
        ({"texts": "a"}, "texts: got a string; give a list of strings"),
        ({"texts": []}, "texts: got 0 of them; allowed are 1 to 64"),
        ({"texts": ["a"] * 65}, "texts: got 65 of them; allowed are 1 to 64"),
        ({"texts": ["a", {}]}, "texts[1]: got an object; give a string"),
        ({"texts": ["a", ""]}, "texts[1]: got an empty text"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_fails_with_400_when_the_body_is_no_invocation(server: Any, body: object, said: str) -> None:
    response = server.invoke(body)
    _assert_error(response, 400, said)
    assert server.invoke({"text": QUESTION}).status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_fails_with_415_when_the_content_type_is_another(server: Any, content_type: str) -> None:
    _assert_error(server.invoke({"text": "a"}, content_type), 415, "allowed is application/json")


def test_fails_with_413_when_the_body_is_too_large(server: Any) -> None:
    _assert_error(server.invoke(b" " * 6_291_457), 413, "body: too large; allowed are 6291456 bytes")
    assert server.ping().status_code == 200


@pytest.mark.parametrize("path", ["/", "/invocations/", "/ping/x", "/static/x"])
def test_fails_with_404_when_the_path_is_unknown(server: Any, path: str) -> None:
    _assert_error(requests.get(server.url + path, timeout=10), 404, "allowed are GET /ping and POST /invocations")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/invocations"), ("PUT", "/invocations"), ("OPTIONS", "/ping"), ("POST", "/ping")]
)
def test_fails_with_405_when_the_method_is_wrong(server: Any, method: str, path: str) -> None:
    response = requests.request(method, server.url + path, timeout=10)
    _assert_error(response, 405, "wrong method; allowed are GET /ping and POST /invocations")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=60))
def test_answers_any_text_or_says_why_not(server: Any, text: str) -> None:
    response = server.invoke({"text": text})
    if text.strip():
        assert 0 <= float(response.json()["predictions"]) <= 1
    else:
        _assert_error(response, 400, "text: got an empty text")


def test_logs_nothing_of_a_post(server: Any) -> None:
    server.invoke({"text": "himitsu秘密"})
    server.invoke(b'{"text": "himitsu\xe7\xa7\x98\xe5\xaf\x86')
    server.invoke(b'{"text": "himitsu\\ud800"}')
    server.invoke({"himitsu": "秘密"})
    server.invoke(b'{"text": "himitsu"}' + b" " * 6_291_456)
    assert "himitsu" not in server.log()
    assert "秘密" not in server.log()


def _assert_error(response: requests.Response, status: int, said: str) -> None:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/json"
    body = json.loads(response.content)
    assert set(body) == {"error"}
    assert said in body["error"]
    assert "\n" not in body["error"]
