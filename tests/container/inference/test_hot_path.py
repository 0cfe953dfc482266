"""The usual request is answered without Flask, and exactly as Flask answers it."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

CONTAINER = Path(__file__).resolve().parents[3] / "container"
JSON = "application/json"


class _Model:
    """Says how long a text is; one that it is told to fail at raises that."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.asked = 0

    def predict(self, texts: list[str], wanted: Callable[[], bool]) -> SimpleNamespace:
        self.asked += 1
        if self.failure:
            raise self.failure
        assert wanted()
        return SimpleNamespace(
            probabilities=[len(text) / 10_000 for text in texts], by_first_stage=[len(text) > 1 for text in texts]
        )

    def unseen_percents(self, texts: list[str]) -> list[int]:
        return [7] * len(texts)


class _Slot:
    def __init__(self, model: _Model | None) -> None:
        self.model = model
        self.fault = "the model is still loading"

    def wait(self) -> _Model | None:
        return self.model


@pytest.fixture
def model() -> _Model:
    return _Model()


@pytest.fixture
def clients(inference_module: Callable[[str], Any], model: _Model) -> tuple[FlaskClient, FlaskClient]:
    """As it is served, and Flask alone."""
    served, alone = (inference_module("wsgi").create_app(_Slot(model), model_name="moderation-1") for _ in range(2))
    alone.wsgi_app = alone.wsgi_app._application
    return served.test_client(), alone.test_client()


REQUESTS: list[tuple[bytes, dict[str, str]]] = [
    (b'{"text": "\xe5\xa4\x9c"}', {}),
    (b'{"texts": ["a", "bb"]}', {}),
    (b'{"texts": ["a"]}', {"Accept": "*/*"}),
    (b'{"text": "a"}', {"Accept": JSON}),
    (b'{"text": "a"}', {"Accept": "application/jsonlines"}),
    (b'{"text": "a"}', {"Accept": "text/html"}),
    (b'{"text": "a"}', {"X-Amzn-SageMaker-Custom-Attributes": "patience-ms=5000,with=unseen"}),
    (b'{"texts": ["a", "b"]}', {"X-Amzn-SageMaker-Custom-Attributes": "with=unseen"}),
    (b'{"texts": ["a", "bc"]}', {"X-Amzn-SageMaker-Custom-Attributes": "with=unseen,with=first-stage"}),
    (b'{"text": "a"}', {"X-Amzn-SageMaker-Custom-Attributes": "with=first-stage"}),
    (b'{"text": ""}', {}),
    (b'{"text": "\xff"}', {}),
    (b"[]", {}),
    (b"", {}),
    (b'{"text": "a"}\n', {"Content-Type": "application/jsonlines"}),
    (b'{"text": "a"}', {"Content-Type": "application/json; charset=utf-8"}),
    (b'{"text": "a"}', {"Content-Type": "text/plain"}),
    (b'{"texts": ["' + b"a" * 9_000 + b'"]}', {}),
]


@pytest.mark.parametrize(("body", "headers"), REQUESTS)
def test_answers_as_flask_does(clients: tuple[FlaskClient, FlaskClient], body: bytes, headers: dict[str, str]) -> None:
    served, alone = (
        client.post("/invocations", data=body, headers={"Content-Type": JSON, **headers}) for client in clients
    )
    assert (served.status, served.data) == (alone.status, alone.data)
    assert sorted(served.headers) == sorted(alone.headers)


@pytest.mark.parametrize("failure", ["OverloadedError", "AbandonedError", "ZeroDivisionError"])
def test_a_prediction_that_fails_is_not_made_again(
    clients: tuple[FlaskClient, FlaskClient], inference_module: Callable[[str], Any], model: _Model, failure: str
) -> None:
    model.failure = getattr(inference_module("prediction_queue"), failure, ZeroDivisionError)()
    served, alone = (client.post("/invocations", json={"text": "a"}) for client in clients)
    assert (served.status, served.data) == (alone.status, alone.data)
    assert served.status_code == {"OverloadedError": 503, "AbandonedError": 408}.get(failure, 500)
    assert sorted(served.headers) == sorted(alone.headers)
    assert model.asked == 2


def test_flask_has_no_part_in_the_usual_request(inference_module: Callable[[str], Any], model: _Model) -> None:
    app = inference_module("wsgi").create_app(_Slot(model), model_name=None)

    def unused(*_: object) -> None:
        raise AssertionError

    app.wsgi_app._application = unused
    answered = app.test_client().post("/invocations", json={"text": "夜"})
    assert json.loads(answered.data) == {"predictions": "0.000100"}
    with pytest.raises(AssertionError):
        app.test_client().get("/ping")


def test_a_model_that_is_not_there_yet_is_flasks_to_wait_for(inference_module: Callable[[str], Any]) -> None:
    app = inference_module("wsgi").create_app(_Slot(None), model_name=None)
    answered = app.test_client().post("/invocations", json={"text": "a"})
    assert (answered.status_code, answered.json) == (503, {"error": "the model is still loading"})
