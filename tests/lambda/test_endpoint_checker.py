import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture
def checker(load_function: Callable[[str], ModuleType]) -> ModuleType:
    return load_function("endpoint_checker")


@pytest.fixture
def check(
    checker: ModuleType, aws: Any, bucket: str, http_server: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], dict[str, Any]]:
    """Runs the function with so many held-out posts, against an endpoint that is `http_server`."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", http_server.url)

    def run(posts: int) -> dict[str, Any]:
        lines = "".join(json.dumps({"text": f"投稿 {number}", "label": 0}) + "\n" for number in range(posts))
        aws.client("s3").put_object(Bucket=bucket, Key="runs/r/test/posts.jsonl", Body=lines.encode())
        result: dict[str, Any] = checker.handler(
            {"endpoint_name": "moderation", "model": "new", "posts": f"s3://{bucket}/runs/r/test/posts.jsonl"}, None
        )
        return result

    return run


def test_asks_the_endpoint_about_a_few_held_out_posts(
    check: Callable[[int], dict[str, Any]], http_server: Any, answer: Any
) -> None:
    http_server.answers = [answer(200, b'{"predictions": "0.93"}', {ATTRIBUTES: "model=new"})]
    assert check(30)["posts"] == 8
    assert [json.loads(body) for _, body in http_server.requests] == [{"text": f"投稿 {n}"} for n in range(8)]
    assert {path for path, _ in http_server.requests} == {"/endpoints/moderation/invocations"}


@pytest.mark.parametrize("prediction", ["0", "1", "1.0", "0.5", "3.1e-05"])
def test_takes_every_probability(checker: ModuleType, prediction: str) -> None:
    checker.check_answer(json.dumps({"predictions": prediction}).encode(), "trace=1, model=new", "new", "post")


@pytest.mark.parametrize(
    "prediction", ["1.01", "-0.1", "nan", "inf", "", " 0.5", "0.5\n", "０.５", "1_0", 0.5, None, ["0.5"]]
)
def test_fails_when_the_answer_is_no_probability(checker: ModuleType, prediction: object) -> None:
    with pytest.raises(checker.EndpointRefused, match=r"post: predictions is .*: it is a probability from 0 to 1"):
        checker.check_answer(json.dumps({"predictions": prediction}).encode(), "model=new", "new", "post")


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff"])
def test_fails_when_the_answer_is_not_json(checker: ModuleType, body: bytes) -> None:
    with pytest.raises(checker.EndpointRefused, match="post: the answer is not JSON"):
        checker.check_answer(body, "model=new", "new", "post")


@pytest.mark.parametrize(
    ("attributes", "got"),
    [("model=old", "old"), ("model=newer", "newer"), ("", "an unnamed model"), ("remodel=new", "an unnamed model")],
)
def test_fails_when_another_model_answers(checker: ModuleType, attributes: str, got: str) -> None:
    with pytest.raises(checker.EndpointRefused, match=f"post: answered by {got}, needed new"):
        checker.check_answer(b'{"predictions": "0.5"}', attributes, "new", "post")


def test_fails_when_one_of_the_answers_is_wrong(
    checker: ModuleType, check: Callable[[int], dict[str, Any]], http_server: Any, answer: Any
) -> None:
    good = answer(200, b'{"predictions": "0.93"}', {ATTRIBUTES: "model=new"})
    http_server.answers = [good, good, answer(200, b'{"predictions": "93"}', {ATTRIBUTES: "model=new"}), good]
    with pytest.raises(checker.EndpointRefused, match='held-out post 3: predictions is "93"'):
        check(5)


def test_fails_when_the_endpoint_refuses(check: Callable[[int], dict[str, Any]], http_server: Any, answer: Any) -> None:
    http_server.answers = [answer(400, b'{"message": "no"}')]
    with pytest.raises(Exception, match="InvokeEndpoint"):
        check(1)


def test_fails_when_there_is_no_post_to_ask_about(checker: ModuleType, check: Callable[[int], dict[str, Any]]) -> None:
    with pytest.raises(checker.EndpointRefused, match="holds no post to check the endpoint with"):
        check(0)
