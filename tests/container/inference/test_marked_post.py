"""A marked post through every refusal of the inference image: it is in no error and no log line."""

import json
from typing import Any

import pytest

MARK = "zqx-marked-7f3a"
POST = f"電話は{MARK}です。返して"


@pytest.mark.parametrize("kind", ["application/json", "application/jsonlines", POST.encode("ascii", "ignore").decode()])
def test_nothing_of_a_post_is_said(server: Any, kind: str) -> None:
    body = json.dumps({"text": POST}, ensure_ascii=False)
    for sent in (
        body[:-2],
        f"{body} {body}",
        POST,
        json.dumps(POST),
        json.dumps({POST: POST}),
        json.dumps({"text": [POST]}),
        json.dumps({"text": POST, "texts": [POST]}),
        json.dumps({"texts": [POST] * 65}),
        json.dumps({"text": POST * 1000}),
        f'{{"text": "{MARK}\\ud800"}}',
        "[" * 100_000 + POST,
    ):
        answer = server.invoke(sent.encode(), kind)
        # A line at fault of JSON lines costs itself alone.
        assert answer.status_code == 200 if "lines" in kind else answer.status_code >= 400
        assert "error" in answer.text
        if kind.startswith("application"):
            assert MARK not in answer.text
        assert "電話" not in answer.text
    assert MARK not in server.log()
    assert "電話" not in server.log()
