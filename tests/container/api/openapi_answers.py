"""Judges requests and answers by the OpenAPI document that describes them."""

from collections.abc import Iterator
from typing import Any

import requests
from jsonschema import Draft202012Validator


def validator(schema: dict[str, Any], document: dict[str, Any]) -> Draft202012Validator:
    """Of a schema whose references lead into the document."""
    return Draft202012Validator({**schema, "components": document["components"]})


def assert_is_documented(response: requests.Response, path: str, method: str, document: dict[str, Any]) -> Any:
    """The answer's content, which the document describes, and so its headers and type."""
    documented = document["paths"][path][method]["responses"][str(response.status_code)]
    assert set(documented["headers"]) <= set(response.headers)
    (content_type,) = documented["content"]
    assert response.headers["Content-Type"] == content_type
    content = response.json()
    validator(documented["content"][content_type]["schema"], document).validate(content)
    return content


def assert_says_nothing_that_is_not_judged(document: dict[str, Any]) -> None:
    """Every schema is one, of keywords that the validator knows: it passes over one that is misspelt."""
    described = list(_schemas(document))
    assert len(described) > 20
    for schema in described:
        Draft202012Validator.check_schema(schema)
        assert set(schema) <= {*Draft202012Validator.VALIDATORS, "description"}, schema


def _schemas(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, list):
        for one in part:
            yield from _schemas(one)
    elif isinstance(part, dict):
        named = part.get("schemas")
        found = [part["schema"]] if isinstance(part.get("schema"), dict) else []
        found += named.values() if isinstance(named, dict) else []
        for schema in found:
            yield from _within(schema)
        for name, one in part.items():
            if name not in ("schema", "schemas"):
                yield from _schemas(one)


def _within(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("oneOf", [])]
    inner += [schema[keyword] for keyword in ("items", "not") if keyword in schema]
    for one in inner:
        yield from _within(one)
