import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.container.api.conftest import Api, Runtime
from tests.container.api.openapi_answers import assert_is_documented, assert_says_nothing_that_is_not_judged, validator


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    response = requests.get(f"{api.url}/openapi.json", timeout=5)
    assert response.headers["Content-Type"] == "application/json"
    document: dict[str, Any] = response.json()
    return document


texts: st.SearchStrategy[Any] = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.sampled_from(["", " ", "\u3000", "\x1c", "\ufeff", "a" * 10_000, "a" * 10_001, "\0"]),
    st.sampled_from([None, True, 0, 1.5, [], {}]),
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "text": texts,
        "texts": st.one_of(st.lists(texts, max_size=5), st.lists(st.just("a"), min_size=30, max_size=35), texts),
        "other": texts,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.one_of(bodies, bodies, bodies, texts))
def test_takes_what_the_document_describes_and_nothing_else(
    api: Api, runtime: Runtime, document: dict[str, Any], body: Any
) -> None:
    listed = body.get("texts") if isinstance(body, dict) else None
    runtime.answers(["0.9"] * len(listed) if isinstance(listed, list) else "0.9")
    headers = {"Content-Type": "application/json"}
    response = requests.post(f"{api.url}/v1/moderations", data=json.dumps(body), headers=headers, timeout=20)
    assert_is_documented(response, "/v1/moderations", "post", document)
    schema = document["paths"]["/v1/moderations"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert response.status_code == (200 if validator(schema, document).is_valid(body) else 400)


@pytest.mark.image
def test_its_examples_are_answered_as_it_says(api: Api, runtime: Runtime, document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/moderations"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    runtime.answers(["0.1", "0.9"])
    answer = requests.post(f"{api.url}/v1/moderations", json=examples["texts"]["value"], timeout=20)
    assert [moderation["flag"] for moderation in answer.json()["moderations"]] == [0, 1]
    runtime.answers("0.9")
    answer = requests.post(f"{api.url}/v1/moderations", json=examples["text"]["value"], timeout=20)
    assert answer.json()["flag"] == 1


def test_faults_and_fallbacks_are_documented(api: Api, runtime: Runtime, document: dict[str, Any]) -> None:
    def check(**options: Any) -> int:
        response = requests.post(f"{api.url}/v1/moderations", timeout=20, **options)
        assert_is_documented(response, "/v1/moderations", "post", document)
        return response.status_code

    assert check(data=b"a", headers={"Content-Type": "text/plain"}) == 415
    assert check(data=b"{", headers={"Content-Type": "application/json"}) == 400
    assert check(data=b" " * (2 << 20), headers={"Content-Type": "application/json"}) == 413
    runtime.answers("2")
    assert check(json={"text": "a"}) == 200
    assert check(json={"texts": ["a", "b"]}) == 200


def test_a_refusal_by_policy_is_documented(
    start_api: Callable[..., Api], runtime: Runtime, document: dict[str, Any]
) -> None:
    api = start_api(runtime.url, FALLBACK_POLICY="error")
    runtime.answers("2")
    response = api.moderate()
    assert response.status_code == 503
    assert_is_documented(response, "/v1/moderations", "post", document)


def test_every_get_path_is_documented(api: Api, document: dict[str, Any]) -> None:
    assert_is_documented(requests.get(f"{api.url}/health", timeout=5), "/health", "get", document)


@pytest.mark.image
def test_the_page_needs_no_network(api: Api, document: dict[str, Any]) -> None:
    response = requests.get(f"{api.url}/docs", timeout=5)
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not re.search(r"https?:|src=|<script|<link|@import|url\(", response.text)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"<h2>{method.upper()} {path}</h2>" in response.text
            assert all(f"<td>{status}</td>" in response.text for status in operation["responses"])
    assert all(f"<h3>{name}</h3>" in response.text for name in document["components"]["schemas"])


def test_the_document_holds_only_references_that_lead_somewhere(document: dict[str, Any]) -> None:
    names = re.findall(r"#/components/schemas/(\w+)", json.dumps(document))
    assert set(names) <= set(document["components"]["schemas"])


def test_says_nothing_that_is_not_judged(document: dict[str, Any]) -> None:
    assert_says_nothing_that_is_not_judged(document)
