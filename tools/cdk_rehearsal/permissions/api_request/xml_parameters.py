"""Reads the parameters of an XML body, by the shape of the operation's payload."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree  # nosec B405  # from SDKs on loopback

from botocore.model import ListShape, MapShape, Shape, StructureShape

from cdk_rehearsal.permissions.api_request.wire_values import from_text


def xml_parameters(body: bytes, shape: Shape) -> Any:
    """
    Raises:
        xml.etree.ElementTree.ParseError: the body is not XML.
    """
    return _value(ElementTree.fromstring(body), shape)  # nosec B314  # from SDKs on loopback


def _value(element: ElementTree.Element, shape: Shape) -> Any:
    match shape:
        case StructureShape():
            return _structure(element, shape)
        case ListShape():
            return [_value(child, shape.member) for child in element]
        case MapShape():
            entries = ([child.text or "" for child in entry] for entry in element)
            return {entry[0]: entry[1] for entry in entries if len(entry) == 2}
    return from_text(element.text or "", shape)


def _structure(element: ElementTree.Element, shape: StructureShape) -> dict[str, Any]:
    children: dict[str, list[ElementTree.Element]] = {}
    for child in element:
        children.setdefault(child.tag.rpartition("}")[2], []).append(child)
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        if isinstance(member, ListShape) and member.serialization.get("flattened"):
            wire = member.member.serialization.get("name", wire) if wire not in children else wire
            if wire in children:
                found[name] = [_value(child, member.member) for child in children[wire]]
        elif member.serialization.get("xmlAttribute"):
            local = wire.rpartition(":")[2]
            values = [value for key, value in element.attrib.items() if key.rpartition("}")[2] == local]
            if values:
                found[name] = values[0]
        elif wire in children:
            found[name] = _value(children[wire][0], member)
    return found
