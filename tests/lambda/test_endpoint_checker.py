import io
import json
import tarfile
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
) -> Callable[..., dict[str, Any]]:
    """Runs the function with so many held-out posts, against an endpoint that is `http_server`.

    `output` is what the training job packed beside its model.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", http_server.url)

    def run(posts: int, output: bytes | None = None) -> dict[str, Any]:
        lines = "".join(json.dumps({"text": f"投稿 {number}", "label": 0}) + "\n" for number in range(posts))
        aws.client("s3").put_object(Bucket=bucket, Key="runs/r/test/posts.jsonl", Body=lines.encode())
        if output is not None:
            aws.client("s3").put_object(Bucket=bucket, Key="models/new/output/output.tar.gz", Body=output)
        result: dict[str, Any] = checker.handler(
            {
                "endpoint_name": "moderation",
                "model": "new",
                "posts": f"s3://{bucket}/runs/r/test/posts.jsonl",
                "model_data": f"s3://{bucket}/models/new/output/model.tar.gz",
            },
            None,
        )
        return result

    return run


def test_asks_the_endpoint_about_a_few_held_out_posts(
    check: Callable[..., dict[str, Any]], http_server: Any, answer: Any
) -> None:
    http_server.answers = [answer(200, b'{"predictions": "0.93"}', {ATTRIBUTES: "model=new"})]
    assert check(30)["posts"] == 8
    assert [json.loads(body) for _, body in http_server.requests] == [{"text": f"投稿 {n}"} for n in range(8)]
    assert {path for path, _ in http_server.requests} == {"/endpoints/moderation/invocations"}


@pytest.mark.parametrize("prediction", ["0", "1", "1.0", "0.5", "3.1e-05"])
def test_takes_every_probability(checker: ModuleType, prediction: str) -> None:
    body = json.dumps({"predictions": prediction}).encode()
    assert checker.checked_answer(body, "trace=1, model=new", "new", "post") == float(prediction)


@pytest.mark.parametrize(
    "prediction", ["1.01", "-0.1", "nan", "inf", "", " 0.5", "0.5\n", "０.５", "1_0", 0.5, None, ["0.5"]]
)
def test_fails_when_the_answer_is_no_probability(checker: ModuleType, prediction: object) -> None:
    with pytest.raises(
        checker.EndpointRefusedError, match=r"post: predictions is .*: it must be a probability from 0 to 1"
    ):
        checker.checked_answer(json.dumps({"predictions": prediction}).encode(), "model=new", "new", "post")


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff"])
def test_fails_when_the_answer_is_not_json(checker: ModuleType, body: bytes) -> None:
    with pytest.raises(checker.EndpointRefusedError, match="post: the answer is not JSON"):
        checker.checked_answer(body, "model=new", "new", "post")


@pytest.mark.parametrize(
    ("attributes", "got"),
    [("model=old", "old"), ("model=newer", "newer"), ("", "an unnamed model"), ("remodel=new", "an unnamed model")],
)
def test_fails_when_another_model_answers(checker: ModuleType, attributes: str, got: str) -> None:
    with pytest.raises(checker.EndpointRefusedError, match=f"post: answered by {got}, needed new"):
        checker.checked_answer(b'{"predictions": "0.5"}', attributes, "new", "post")


def test_fails_when_one_of_the_answers_is_wrong(
    checker: ModuleType, check: Callable[..., dict[str, Any]], http_server: Any, answer: Any
) -> None:
    good = answer(200, b'{"predictions": "0.93"}', {ATTRIBUTES: "model=new"})
    http_server.answers = [good, good, answer(200, b'{"predictions": "93"}', {ATTRIBUTES: "model=new"}), good]
    with pytest.raises(checker.EndpointRefusedError, match="held-out post 3: predictions is a text of 2 characters"):
        check(5)


def test_fails_when_the_endpoint_refuses(check: Callable[..., dict[str, Any]], http_server: Any, answer: Any) -> None:
    http_server.answers = [answer(400, b'{"message": "no"}')]
    with pytest.raises(Exception, match="InvokeEndpoint"):
        check(1)


def test_fails_when_there_is_no_post_to_ask_about(checker: ModuleType, check: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(checker.EndpointRefusedError, match="has no post to check the endpoint with"):
        check(0)


def archive(name: str, content: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for member, body in (("./evaluation.json", "{}"), (name, content)):
            info = tarfile.TarInfo(member)
            info.size = len(body.encode())
            tar.addfile(info, io.BytesIO(body.encode()))
    return out.getvalue()


def golden(*probabilities: float) -> str:
    return "".join(
        json.dumps({"text": f"golden\u2028{number}", "probability": probability}, ensure_ascii=False) + "\n"
        for number, probability in enumerate(probabilities)
    )


@pytest.mark.parametrize("name", ["golden_posts.jsonl", "./golden_posts.jsonl"])
def test_the_endpoint_says_of_golden_posts_what_the_exported_model_said(
    check: Callable[..., dict[str, Any]], http_server: Any, answer: Any, name: str
) -> None:
    http_server.answers = [
        answer(200, f'{{"predictions": "{prediction}"}}'.encode(), {ATTRIBUTES: "model=new"})
        for prediction in ("0.3", "0.100000", "0.909", "0.5")
    ]
    result = check(1, archive(name, golden(0.1, 0.9, 0.5)))
    assert (result["posts"], result["golden_posts"], result["largest_difference"]) == (1, 3, 0.009)
    assert json.loads(http_server.requests[1][1]) == {"text": "golden\u20280"}


def test_fails_when_the_endpoint_says_something_else_of_a_golden_post(
    checker: ModuleType, check: Callable[..., dict[str, Any]], http_server: Any, answer: Any
) -> None:
    http_server.answers = [answer(200, b'{"predictions": "0.52"}', {ATTRIBUTES: "model=new"})]
    message = "golden post 2: the endpoint says 0.520000, the exported model said 0.500000: at most 0.01 apart"
    with pytest.raises(checker.EndpointRefusedError, match=message):
        check(1, archive("golden_posts.jsonl", golden(0.52, 0.5, 0.52)))


def test_fails_when_another_model_answers_a_golden_post(
    checker: ModuleType, check: Callable[..., dict[str, Any]], http_server: Any, answer: Any
) -> None:
    http_server.answers = [
        answer(200, b'{"predictions": "0.5"}', {ATTRIBUTES: f"model={model}"}) for model in ("new", "old")
    ]
    with pytest.raises(checker.EndpointRefusedError, match="golden post 1: answered by old, needed new"):
        check(1, archive("golden_posts.jsonl", golden(0.5)))


@pytest.mark.parametrize("output", [None, archive("other.txt", "x")], ids=["no output", "no golden posts"])
def test_a_training_program_may_leave_no_golden_posts(
    check: Callable[..., dict[str, Any]], http_server: Any, answer: Any, output: bytes | None
) -> None:
    http_server.answers = [answer(200, b'{"predictions": "0.5"}', {ATTRIBUTES: "model=new"})]
    assert check(3, output)["golden_posts"] == 0


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (b"no archive", r"models/new/output/output.tar.gz is no gzipped tar"),
        (archive("golden_posts.jsonl", golden(*[0.5] * 65)), "has 65 lines: 64 are allowed"),
        (
            archive("golden_posts.jsonl", golden(0.5, 1.5)),
            "line 2: .* it must have a text and a probability from 0 to 1",
        ),
        (archive("golden_posts.jsonl", '{"text": "x"}'), "line 1: .* it must have a text"),
        (archive("golden_posts.jsonl", "x"), "line 1: 1 bytes of something else: it must have a text"),
        (archive("golden_posts.jsonl", " " * (1 << 20) + "x"), "has 1048577 bytes: 1048576 are allowed"),
    ],
    ids=["no archive", "65 posts", "1.5", "no probability", "no JSON", "too large"],
)
def test_fails_when_the_golden_posts_cannot_be_read(
    checker: ModuleType,
    check: Callable[..., dict[str, Any]],
    http_server: Any,
    answer: Any,
    output: bytes,
    message: str,
) -> None:
    http_server.answers = [answer(200, b'{"predictions": "0.5"}', {ATTRIBUTES: "model=new"})]
    with pytest.raises(checker.InvalidGoldenPostsError, match=message):
        check(1, output)
