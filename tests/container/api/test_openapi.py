import json
import re
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TYPES = {
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}


@pytest.fixture(scope="module")
def document(api) -> dict[str, Any]:
    response = requests.get(f"{api.url}/openapi.json", timeout=5)
    assert response.headers["Content-Type"] == "application/json"
    return response.json()


def is_valid(value: object, schema: dict[str, Any], document: dict[str, Any]) -> bool:
    """JSON Schema's keywords as far as the document uses them; KeyError for one more."""

    def is_a(name: str) -> bool:
        return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))

    def inner(value: object, schema: dict[str, Any]) -> bool:
        return is_valid(value, schema, document)

    is_object, is_array, is_string = isinstance(value, dict), isinstance(value, list), isinstance(value, str)
    is_number = isinstance(value, int | float)
    checks = {
        "$ref": lambda ref: inner(value, document["components"]["schemas"][ref.rpartition("/")[2]]),
        "oneOf": lambda schemas: sum(inner(value, one) for one in schemas) == 1,
        "not": lambda refused: not inner(value, refused),
        "type": lambda names: any(is_a(name) for name in ([names] if isinstance(names, str) else names)),
        "enum": lambda allowed: value in allowed,
        "minimum": lambda least: not is_number or value >= least,
        "maximum": lambda most: not is_number or value <= most,
        "minLength": lambda least: not is_string or len(value) >= least,
        "maxLength": lambda most: not is_string or len(value) <= most,
        "pattern": lambda pattern: not is_string or re.search(pattern, value) is not None,
        "minItems": lambda least: not is_array or len(value) >= least,
        "maxItems": lambda most: not is_array or len(value) <= most,
        "items": lambda items: not is_array or all(inner(item, items) for item in value),
        "required": lambda names: not is_object or all(name in value for name in names),
        "properties": lambda properties: (
            not is_object or all(inner(value[name], one) for name, one in properties.items() if name in value)
        ),
        "additionalProperties": lambda allowed: (
            allowed or not is_object or set(value) <= set(schema.get("properties", {}))
        ),
        "description": lambda _: True,
    }
    return all(checks[keyword](wanted) for keyword, wanted in schema.items())


def assert_is_documented(response: requests.Response, path: str, method: str, document: dict[str, Any]) -> None:
    documented = document["paths"][path][method]["responses"][str(response.status_code)]
    assert set(documented["headers"]) <= set(response.headers)
    (content_type,) = documented["content"]
    assert response.headers["Content-Type"] == content_type
    schema = documented["content"][content_type]["schema"]
    assert is_valid(response.json(), schema, document)


texts = st.one_of(
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
def test_takes_what_the_document_describes_and_nothing_else(api, runtime, document, body):
    listed = body.get("texts") if isinstance(body, dict) else None
    runtime.answers(["0.9"] * len(listed) if isinstance(listed, list) else "0.9")
    sent = {"data": json.dumps(body), "headers": {"Content-Type": "application/json"}}
    response = requests.post(f"{api.url}/v1/moderations", timeout=20, **sent)
    assert_is_documented(response, "/v1/moderations", "post", document)
    schema = document["paths"]["/v1/moderations"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert response.status_code == (200 if is_valid(body, schema, document) else 400)


@pytest.mark.image
def test_its_examples_are_answered_as_it_says(api, runtime, document):
    operation = document["paths"]["/v1/moderations"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    runtime.answers(["0.1", "0.9"])
    answer = requests.post(f"{api.url}/v1/moderations", json=examples["texts"]["value"], timeout=20)
    assert [moderation["flag"] for moderation in answer.json()["moderations"]] == [0, 1]
    runtime.answers("0.9")
    answer = requests.post(f"{api.url}/v1/moderations", json=examples["text"]["value"], timeout=20)
    assert answer.json()["flag"] == 1


def test_faults_and_fallbacks_are_documented(api, runtime, document):
    def check(**options: object) -> int:
        response = requests.post(f"{api.url}/v1/moderations", timeout=20, **options)
        assert_is_documented(response, "/v1/moderations", "post", document)
        return response.status_code

    assert check(data=b"a", headers={"Content-Type": "text/plain"}) == 415
    assert check(data=b"{", headers={"Content-Type": "application/json"}) == 400
    assert check(data=b" " * (2 << 20), headers={"Content-Type": "application/json"}) == 413
    runtime.answers("2")
    assert check(json={"text": "a"}) == 200
    assert check(json={"texts": ["a", "b"]}) == 200


def test_a_refusal_by_policy_is_documented(start_api, runtime, document):
    api = start_api(runtime.url, FALLBACK_POLICY="error")
    runtime.answers("2")
    response = api.moderate()
    assert response.status_code == 503
    assert_is_documented(response, "/v1/moderations", "post", document)


def test_every_get_path_is_documented(api, document):
    assert_is_documented(requests.get(f"{api.url}/health", timeout=5), "/health", "get", document)


@pytest.mark.image
def test_the_page_needs_no_network(api, document):
    response = requests.get(f"{api.url}/docs", timeout=5)
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not re.search(r"https?:|src=|<script|<link|@import|url\(", response.text)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"<h2>{method.upper()} {path}</h2>" in response.text
            assert all(f"<td>{status}</td>" in response.text for status in operation["responses"])
    assert all(f"<h3>{name}</h3>" in response.text for name in document["components"]["schemas"])


def test_the_document_holds_only_references_that_lead_somewhere(document):
    names = re.findall(r"#/components/schemas/(\w+)", json.dumps(document))
    assert set(names) <= set(document["components"]["schemas"])
