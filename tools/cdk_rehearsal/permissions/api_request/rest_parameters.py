"""The parameters of a REST request, from its path, query string, headers and body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from botocore.model import ListShape, MapShape, Shape, StructureShape

from cdk_rehearsal.permissions.api_request.http_request import HttpRequest
from cdk_rehearsal.permissions.api_request.wire_values import from_text
from cdk_rehearsal.permissions.api_request.xml_parameters import xml_parameters


def rest_parameters(
    request: HttpRequest, shape: StructureShape | None, labels: Mapping[str, str], *, xml: bool
) -> dict[str, Any]:
    """
    Raises:
        ValueError, xml.etree.ElementTree.ParseError: the body does not fit the operation's input.
    """
    if shape is None:
        return {}
    query = parse_qs(request.query, keep_blank_values=True)
    found: dict[str, Any] = {}
    body_members = {}
    for name, member in shape.members.items():
        given = member.serialization
        wire = given.get("name", name)
        match given.get("location"):
            case "uri":
                if wire in labels:
                    found[name] = from_text(labels[wire], member)
            case "querystring":
                if isinstance(member, MapShape):
                    found[name] = {key: values[0] for key, values in query.items()}
                elif wire in query:
                    found[name] = _from_query(query[wire], member)
            case "header":
                if wire.lower() in request.headers:
                    found[name] = _from_header(request.headers[wire.lower()], member)
            case "headers":
                values = _prefixed(request.headers, wire.lower())
                if values:
                    found[name] = values
            case None:
                body_members[name] = member
    return found | _from_body(request.body, shape, body_members, xml=xml)


def _from_query(values: list[str], member: Shape) -> Any:
    if isinstance(member, ListShape):
        return [from_text(value, member.member) for value in values]
    return from_text(values[0], member)


def _from_header(value: str, member: Shape) -> Any:
    if isinstance(member, ListShape):
        return [from_text(each.strip(), member.member) for each in value.split(",")]
    return from_text(value, member)


def _prefixed(headers: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)}


def _from_body(body: bytes, shape: StructureShape, members: Mapping[str, Shape], *, xml: bool) -> dict[str, Any]:
    if not body:
        return {}
    if payload := shape.serialization.get("payload"):
        member = shape.members[payload]
        if not isinstance(member, StructureShape | ListShape | MapShape):
            return {payload: body.decode() if member.type_name == "string" else body}
        return {payload: xml_parameters(body, member) if xml else _renamed(json.loads(body), member)}
    if not members:
        return {}
    whole: dict[str, Any] = xml_parameters(body, shape) if xml else _renamed(json.loads(body), shape)
    return {name: value for name, value in whole.items() if name in members}


def _renamed(value: Any, shape: Shape) -> Any:
    """A JSON value with botocore's member names instead of the serialized names."""
    match shape:
        case StructureShape() if isinstance(value, dict):
            wires = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
            return {wires[wire][0]: _renamed(each, wires[wire][1]) for wire, each in value.items() if wire in wires}
        case ListShape() if isinstance(value, list):
            return [_renamed(each, shape.member) for each in value]
        case MapShape() if isinstance(value, dict):
            return {key: _renamed(each, shape.value) for key, each in value.items()}
    return value
