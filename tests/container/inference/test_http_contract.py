import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Serving = Callable[..., AbstractContextManager[Any]]

QUESTION = "夜泣きで悩んでいます。5ヶ月です"
VIOLATION = "副業で30万円、LINEを追加して"


@pytest.mark.image
def test_answers_one_text_with_one_probability_as_a_string(server: Any) -> None:
    response = server.invoke({"text": VIOLATION})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Amzn-SageMaker-Custom-Attributes"] == "model=moderation-1"
    assert set(response.json()) == {"predictions"}
    assert isinstance(response.json()["predictions"], str)
    assert 0.5 < float(response.json()["predictions"]) <= 1


@pytest.mark.image
def test_says_how_much_of_each_text_is_new_to_the_model_where_it_is_asked(server: Any) -> None:
    asked = {"X-Amzn-SageMaker-Custom-Attributes": "patience-ms=60000,with=unseen"}
    body = json.dumps({"texts": [QUESTION, "Buy cheap watches, free shipping", VIOLATION]}).encode()
    response = server.invoke(body, headers=asked)
    model, _, unseen = response.headers["X-Amzn-SageMaker-Custom-Attributes"].partition(",unseen=")
    assert model == "model=moderation-1"
    question, foreign, violation = map(int, unseen.split("/"))
    assert question < 40
    assert foreign == 100
    assert violation < 40
    assert server.invoke({"text": "Buy"}, headers=asked).headers["X-Amzn-SageMaker-Custom-Attributes"].endswith("=100")
    # Not of lines, of which there may be any number.
    lines = server.invoke(b'{"text": "Buy"}', "application/jsonlines", headers=asked)
    assert lines.headers["X-Amzn-SageMaker-Custom-Attributes"] == "model=moderation-1"


@pytest.mark.image
def test_answers_a_list_in_its_order(server: Any, of_a_batch: float) -> None:
    texts = [QUESTION, VIOLATION, "あ", VIOLATION * 50]
    alone = [float(server.invoke({"text": text}).json()["predictions"]) for text in texts]
    together = server.invoke({"texts": texts})
    assert together.status_code == 200
    # A batch adds up in another order, which moves the last digit.
    assert list(map(float, together.json()["predictions"])) == pytest.approx(alone, abs=of_a_batch)
    assert alone[0] < 0.5 < alone[1]


@pytest.mark.image
def test_answers_json_lines_with_json_lines(server: Any) -> None:
    lines = [json.dumps({"text": text}) for text in (QUESTION, VIOLATION, "あ\u2028い")] * 50
    for end in ("", "\n"):
        response = server.invoke(("\n".join(lines) + end).encode(), "application/jsonlines")
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "application/jsonlines"
        answers = [json.loads(line) for line in response.text.splitlines()]
        assert len(answers) == 150
        assert float(answers[0]["predictions"]) < 0.5 < float(answers[1]["predictions"])


def test_a_line_at_fault_costs_itself_alone(server: Any) -> None:
    lines = [
        json.dumps({"text": VIOLATION}).encode(),
        b"",
        b'{"text": ""}\r',
        b"\xff",
        b'{"texts": ["a"]}',
        b'{"text": "a\\ud800"}',
        json.dumps({"text": VIOLATION}).encode() + b"\r",
    ]
    response = server.invoke(b"\n".join(lines), "application/jsonlines")
    assert response.status_code == 200
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [set(answer) for answer in answers] == [{"predictions"}, *[{"error"}] * 5, {"predictions"}]
    assert answers[0] == answers[6]
    assert answers[4] == {"error": "line: got texts; give one object with text per line"}


def test_answers_lines_of_which_none_is_good(server: Any) -> None:
    response = server.invoke(b"{\n{", "application/jsonlines")
    assert response.status_code == 200
    assert [set(json.loads(line)) for line in response.text.splitlines()] == [{"error"}, {"error"}]
    for body in (b"", b"\n"):
        _assert_error(server.invoke(body, "application/jsonlines"), 400, "body: empty")


@pytest.mark.parametrize(
    ("sent", "accept", "answered"),
    [
        ("application/json", "*/*", "application/json"),
        ("application/json", "application/json", "application/json"),
        ("application/json", "application/jsonlines", "application/jsonlines"),
        ("application/json", "text/html, application/*;q=0.5", "application/json"),
        ("application/jsonlines", "*/*", "application/jsonlines"),
        ("application/jsonlines", "application/json", "application/json"),
        ("application/jsonlines", "application/json;q=0.1, application/jsonlines", "application/jsonlines"),
    ],
)
def test_answers_what_is_accepted(server: Any, sent: str, accept: str, answered: str) -> None:
    response = server.invoke({"text": VIOLATION}, sent, accept=accept)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == answered
    predictions = response.json()["predictions"]
    in_list = (sent, answered) == ("application/jsonlines", "application/json")
    assert 0.5 < float(predictions[0] if in_list else predictions) <= 1


def test_fails_with_406_when_nothing_offered_is_accepted(server: Any) -> None:
    response = server.invoke({"text": VIOLATION}, accept="text/csv")
    _assert_error(response, 406, "accept: allowed are application/json and application/jsonlines")


@pytest.mark.image
def test_ping_is_200(server: Any) -> None:
    assert server.ping().status_code == 200


@pytest.mark.image
def test_takes_a_charset_and_texts_at_the_limits(server: Any) -> None:
    assert server.invoke({"text": "あ" * 10_000}, "application/json; charset=utf-8").status_code == 200
    assert len(server.invoke({"texts": ["あ"] * 64}).json()["predictions"]) == 64


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "body: not JSON"),
        (b"{", "body: not JSON"),
        (b"\xff", "body: not UTF-8 at byte 0"),
        (b"[" * 100_000, "body: JSON with too many digits or levels"),
        (b'{"text": ' + b"1" * 5_000 + b"}", "body: JSON with too many digits or levels"),
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
        ({"text": "a" * 10_001}, "text: got 10001 characters; allowed are 10000"),
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
    _assert_error(server.invoke({"text": "a"}, content_type), 415, "allowed are application/json and ")


@pytest.mark.image
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


@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=60))
def test_answers_any_text_or_says_why_not(server: Any, text: str) -> None:
    response = server.invoke({"text": text})
    if text.strip():
        assert 0 <= float(response.json()["predictions"]) <= 1
    else:
        _assert_error(response, 400, "text: got an empty text")


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
            lambda children: (
                st.lists(children, max_size=4)
                | st.dictionaries(st.sampled_from(["text", "texts", "x"]), children, max_size=3)
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    ),
    content_type=st.sampled_from(["application/json", "application/jsonlines"]),
    accept=st.sampled_from(["*/*", "application/json", "application/jsonlines", "text/html", ";;q=x"]),
)
def test_answers_any_body_without_a_fault_of_its_own(server: Any, body: bytes, content_type: str, accept: str) -> None:
    response = server.invoke(body, content_type, accept=accept)
    assert response.status_code in (200, 400, 406), response.text
    if response.status_code != 200:
        _assert_error(response, response.status_code, "")


def test_memory_does_not_grow(server: Any) -> None:
    def megabytes() -> float:
        (worker,) = server.workers()
        status = Path(f"/proc/{worker}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    body = {"texts": [QUESTION * 20, VIOLATION] * 30}
    for _ in range(150):
        server.invoke(body)
    before = megabytes()
    for _ in range(450):
        server.invoke(body)
    assert megabytes() < before + 10


@pytest.mark.image
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
