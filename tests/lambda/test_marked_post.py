"""A marked post through every failure of the release's functions: it is in no error, no log and no alert."""

import gzip
import io
import json
import logging
import tarfile
import uuid
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

MARK = "zqx-marked-7f3a"
POST = f"電話は{MARK}です。返して"
TEXT, LABEL = json.dumps(POST), json.dumps({"text": POST, "label": 1})


def is_marked(said: object) -> bool:
    """As it is or as JSON has it, and what it says beside the mark."""
    shown = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, default=str)
    return any(part in shown for part in (MARK, MARK[:6], "電話", "返して", "\\u96fb\\u8a71"))


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(f"{name}.{'json' if name == 'evaluation' else 'jsonl'}")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


FILES: dict[str, bytes | str] = {
    "no header.csv": f"{POST},1\nb,0\n",
    "one column.csv": f"{MARK}\n",
    "columns are named by posts.jsonl": json.dumps({POST: "a", "label": 1}),
    "swapped columns.csv": f"label,text\n{POST},1\n",
    "unquoted comma.csv": f"text,label\n{POST}, {POST},1\n",
    "wrong label.csv": f"text,label\n{POST},{POST}\n",
    "wrong label.jsonl": f'{{"text": {TEXT}, "label": {TEXT}}}',
    "label is an object.jsonl": f'{{"text": "a", "label": {{"text": {TEXT}}}}}',
    "text is a list.jsonl": f'{{"text": [{TEXT}], "label": 1}}',
    "no object.jsonl": TEXT,
    "array.json": f"[{LABEL}]",
    "no JSON.jsonl": f"{{text: {POST}}}",
    "cut JSON.jsonl": LABEL[:-3],
    "twice.jsonl": f'{{"text": {TEXT}, "text": {TEXT}, "label": 1}}',
    "half of a pair.jsonl": f'{{"text": "{MARK}\\ud800", "label": 1}}',
    "NaN.jsonl": f'{{"text": {TEXT}, "label": NaN}}',
    "quote.csv": f'text,label\n"{POST}"{POST},1\n',
    "open quote.csv": f'text,label\n"{POST},1\n',
    "long.csv": f"text,label\n{POST * 1000},1\n",
    "longer.jsonl": f'{{"text": "{POST * 100_000}", "label": 1}}',
    "NUL.csv": f"text,label\n{POST}\0,1\n",
    "CP932.csv": f"text,label\n{POST},1\n".encode("cp932"),
    "EUC.csv": f"text,label\n{POST},1\n".encode("euc_jp"),
    "JIS.csv": f"text,label\n{POST},1\n".encode("iso2022_jp"),
    "UTF-16.csv": f"text,label\n{POST},1\n".encode("utf-16"),
    "damaged.csv": f"text,label\n{POST},1\n".encode() + b"\xff",
    "cut.csv.gz": gzip.compress(f"text,label\n{POST},1\n".encode())[:-9],
    "one label.jsonl": LABEL,
    "tabs.tsv": f"text\tlabel\n{POST}\t{POST}\t1\n",
}


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.INFO)
    formatter = logging.Formatter()

    def read() -> str:
        return "\n".join(map(formatter.format, caplog.records))

    return read


def test_extraction(
    load_function: Callable[[str], ModuleType], aws: Any, bucket: str, side_secret: None, said: Callable[[], str]
) -> None:
    extractor = load_function("training_data_extractor")
    s3 = aws.client("s3")
    for number, (name, content) in enumerate(FILES.items()):
        prefix = f"posts/{number}/"
        s3.put_object(
            Bucket=bucket, Key=prefix + name, Body=content if isinstance(content, bytes) else content.encode()
        )
        event = {"bucket": bucket, "posts_prefix": prefix, "run_prefix": "runs/r/"}
        with pytest.raises(extractor.InvalidPostsError) as fault:
            extractor.handler(event, None)
        # It is of the posts, and not of what surrounds the test.
        where = "of the posts to" if name == "one label.jsonl" else f"s3://{bucket}/{prefix}{name}"
        assert str(fault.value).startswith(where), name
        assert not is_marked(str(fault.value)), name
    assert not is_marked(said())


SUMMARY = {"exportTime": "2026-11-24T12:00:00.000Z", "itemCount": 1}
ITEM: dict[str, Any] = {"post": {"S": "k"}, "entry": {"S": "post"}, "text": {"S": POST}, "label": {"N": "1"}}


@pytest.mark.parametrize(
    "item",
    [
        {**ITEM, "label": {"S": POST}},
        {**ITEM, "label": {"N": POST}},
        {**ITEM, "text": {"SS": [POST]}},
        {**ITEM, "text": {"S": POST * 1000}},
        {**ITEM, "decided": {"S": POST}},
        {**ITEM, "decided": POST},
        {"text": {"S": POST}},
        {POST: {"S": POST}},
    ],
    ids=["label", "number", "text", "long", "decided", "no attribute", "another table", "name"],
)
def test_an_export_of_reviews(
    load_function: Callable[[str], ModuleType],
    aws: Any,
    bucket: str,
    side_secret: None,
    said: Callable[[], str],
    item: dict[str, Any],
) -> None:
    extractor = load_function("training_data_extractor")
    s3 = aws.client("s3")
    posts = "".join(json.dumps({"text": f"p{number}", "label": number % 2}) + "\n" for number in range(80))
    for key, body in {
        "posts/a.jsonl": posts,
        "runs/r/reviews/01/data/a.json": json.dumps({"Item": item}, ensure_ascii=False),
        "runs/r/reviews/01/manifest-summary.json": json.dumps(SUMMARY),
    }.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
    event = {
        "bucket": bucket,
        "posts_prefix": "posts/",
        "run_prefix": "runs/r/",
        "reviews": {"prefix": "runs/r/reviews/", "since": None},
    }
    with pytest.raises(extractor.InvalidPostsError, match=r"01/data/a.json, line 1: ") as fault:
        extractor.handler(event, None)
    assert not is_marked(str(fault.value))
    assert not is_marked(said())


GOOD = {"metrics": {"auc": 0.9}}
SCORED = '{"predictions": "0.9"}\n{"predictions": "0.1"}\n'


@pytest.mark.parametrize(
    ("evaluation", "new", "posts", "current"),
    [
        (GOOD, SCORED, f"{LABEL}\n{json.dumps({'text': POST, 'label': POST})}\n", SCORED),
        (GOOD, SCORED, f"{LABEL}\n{POST}\n", SCORED),
        (GOOD, SCORED, f"{LABEL}\n{LABEL}\n", SCORED),
        (GOOD, f"{LABEL}\n", f"{LABEL}\n", SCORED),
        (GOOD, json.dumps({"predictions": POST}), f"{LABEL}\n", SCORED),
        (GOOD, SCORED, f"{LABEL}\n" + LABEL.replace("1}", "0}"), json.dumps({"predictions": POST})),
        (GOOD, SCORED, f"{LABEL}\n" + LABEL.replace("1}", "0}"), json.dumps({"error": POST})),
        (GOOD, SCORED, f"{LABEL}\n" + LABEL.replace("1}", "0}"), f"{POST}\n{POST}\n"),
        ({"metrics": {"auc": POST}}, SCORED, "", SCORED),
        ({"metrics": [POST]}, SCORED, "", SCORED),
        (POST, SCORED, "", SCORED),
    ],
    ids=range(11),  # a bucket is named after the test
)
def test_evaluation(
    load_function: Callable[[str], ModuleType],
    aws: Any,
    bucket: str,
    said: Callable[[], str],
    evaluation: object,
    new: str,
    posts: str,
    current: str,
) -> None:
    evaluator = load_function("model_evaluator")
    s3 = aws.client("s3")
    output = archive(evaluation=json.dumps(evaluation).encode(), held_out_scores=new.encode())
    for key, body in {
        "models/j/output/output.tar.gz": output,
        "runs/r/test/posts.jsonl": posts.encode(),
        "runs/r/current/posts.jsonl.out": current.encode(),
    }.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    event = {
        "model_data": f"s3://{bucket}/models/j/output/model.tar.gz",
        "test_uri": f"s3://{bucket}/runs/r/test/",
        "current_scores": f"s3://{bucket}/runs/r/current/posts.jsonl.out",
    }
    with pytest.raises((evaluator.InvalidEvaluationError, evaluator.InvalidScoresError)) as fault:
        evaluator.handler(event, None)
    assert not is_marked(str(fault.value))
    assert not is_marked(said())


ANSWERED = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.mark.parametrize(
    ("status", "body", "attributes", "golden"),
    [
        (200, POST, "model=new", ""),
        (200, LABEL, "model=new", ""),
        (200, json.dumps({"predictions": POST}), "model=new", ""),
        (200, '{"predictions": "0.5"}', f"model={MARK}_1", ""),
        (200, '{"predictions": "0.5"}', "model=new", LABEL),
        (200, '{"predictions": "0.5"}', "model=new", POST),
        (200, '{"predictions": "0.5"}', "model=new", json.dumps({"text": POST, "probability": POST})),
        (200, '{"predictions": "0.5"}', "model=new", json.dumps({"text": POST, "probability": 0.9})),
    ],
    ids=range(8),
)
def test_the_check_of_the_endpoint(
    load_function: Callable[[str], ModuleType],
    aws: Any,
    bucket: str,
    http_server: Any,
    said: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: str,
    attributes: str,
    golden: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", http_server.url)
    http_server.answers = [answer_of(status, body.encode(), {ANSWERED: attributes})]
    checker = load_function("endpoint_checker")
    s3 = aws.client("s3")
    s3.put_object(Bucket=bucket, Key="runs/r/test/posts.jsonl", Body=f"{LABEL}\n".encode())
    s3.put_object(Bucket=bucket, Key="models/new/output/output.tar.gz", Body=archive(golden_posts=golden.encode()))
    event = {
        "endpoint_name": "moderation",
        "model": "new",
        "posts": f"s3://{bucket}/runs/r/test/posts.jsonl",
        "model_data": f"s3://{bucket}/models/new/output/model.tar.gz",
    }
    with pytest.raises((checker.EndpointRefusedError, checker.InvalidGoldenPostsError)) as fault:
        checker.handler(event, None)
    assert not is_marked(str(fault.value))
    assert not is_marked(said())


def answer_of(status: int, body: bytes, headers: dict[str, str]) -> Any:
    return SimpleNamespace(status=status, body=body, headers=headers)


def test_the_alert_says_what_the_error_says(
    load_function: Callable[[str], ModuleType],
    aws: Any,
    bucket: str,
    http_server: Any,
    said: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the file without a header to Slack, as the workflow hands its failure on."""
    extractor = load_function("training_data_extractor")
    aws.client("s3").put_object(Bucket=bucket, Key="posts/a.csv", Body=str(FILES["no header.csv"]).encode())
    with pytest.raises(extractor.InvalidPostsError) as fault:
        extractor.handler({"bucket": bucket, "posts_prefix": "posts/", "run_prefix": "runs/r/"}, None)
    answer = aws.client("secretsmanager").create_secret(
        Name=f"webhook-{uuid.uuid4().hex}", SecretString=f"{http_server.url}/services/T0/B0/x"
    )
    monkeypatch.setenv("SLACK_WEBHOOK_SECRET_ARN", answer["ARN"])
    http_server.answers = [answer_of(200, b"ok", {})]
    alert = {
        "kind": "workflow_failure",
        "workflow": "moderation-dev-release",
        "execution": "arn:aws:states:us-east-1:123456789012:execution:moderation-dev-release:monday",
        "state": "Extract",
        "error": "InvalidPostsError",
        "cause": json.dumps({"errorMessage": str(fault.value), "errorType": "InvalidPostsError"}),
        "console": "https://us-east-1.console.aws.amazon.com/states/home",
    }
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000, invoked_function_arn="arn:aws:lambda:::f")
    load_function("slack_notifier").handler({"Records": [{"Sns": {"Message": json.dumps(alert)}}]}, context)
    (sent,) = [body.decode() for _, body in http_server.requests]
    assert "no column text" in sent
    assert not is_marked(json.loads(sent))
    assert not is_marked(said())
