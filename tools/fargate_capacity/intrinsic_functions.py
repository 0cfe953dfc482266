"""Turns CloudFormation's intrinsic functions into text that a person can read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fargate_capacity.cloud_assembly import CloudAssembly, Template

_SUBSTITUTION = re.compile(r"\$\{(!?)([^${}]+)\}")
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:ssm:([^:{}]+)(?::\d+)?\}\}")
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrinsicFunctions:
    """Resolves what a template's literals tell; what only the deploy knows stays readable, as `${Service.Name}`.

    Args:
        assembly: where imports and SSM parameters are looked up.
        template: whose resources and parameters are meant.
    """

    assembly: CloudAssembly
    template: Template

    def text(self, value: Any) -> str:
        """A property's value as text; objects and lists as JSON, with what is inside them resolved."""
        return self._dynamic(self._text(value, 0))

    def _text(self, value: Any, depth: int) -> str:
        if depth > _MAX_DEPTH:
            return "${…}"
        if isinstance(value, str):
            return value
        if isinstance(value, dict) and len(value) == 1:
            function, argument = next(iter(value.items()))
            if function == "Ref" or function.startswith("Fn::"):
                return self._call(function, argument, depth + 1)
        if isinstance(value, dict | list):
            return json.dumps(self._resolved(value, depth + 1))
        return json.dumps(value)

    def _resolved(self, value: Any, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            return "${…}"
        if isinstance(value, list):
            return [self._resolved(item, depth + 1) for item in value]
        if isinstance(value, dict):
            if len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::")):
                return self._text(value, depth + 1)
            return {key: self._resolved(item, depth + 1) for key, item in value.items()}
        return value

    def _call(self, function: str, argument: Any, depth: int) -> str:
        match function, argument:
            case "Ref", str(name):
                return self._reference(name, depth)
            case "Fn::GetAtt", [str(logical_id), attribute]:
                return self._attribute(logical_id, self._text(attribute, depth))
            case "Fn::GetAtt", str(path):
                return self._attribute(*path.partition(".")[::2])
            case "Fn::Join", [str(separator), list(items)]:
                return separator.join(self._text(item, depth) for item in items)
            case "Fn::Sub", str(pattern):
                return self._substituted(pattern, {}, depth)
            case "Fn::Sub", [str(pattern), dict(values)]:
                return self._substituted(pattern, values, depth)
            case "Fn::Select", [index, list(items)] if str(index).isdigit() and int(index) < len(items):
                return self._text(items[int(index)], depth)
            case "Fn::Select", [index, {"Fn::Split": [str(separator), source]}]:
                return self._part(index, separator, self._text(source, depth))
            case "Fn::If", [_, when_true, _]:
                return self._text(when_true, depth)
            case "Fn::ImportValue", name:
                return self._imported(self._text(name, depth), depth)
            case "Fn::FindInMap", [str(name), first, second, *_]:
                found = self.template.body.get("Mappings", {}).get(name, {})
                for key in (self._text(first, depth), self._text(second, depth)):
                    found = found.get(key) if isinstance(found, dict) else None
                return f"${{{name}}}" if found is None else self._text(found, depth)
            case "Fn::ToJsonString", value:
                return json.dumps(self._resolved(value, depth))
        return f"${{{function.removeprefix('Fn::')}}}"

    def _reference(self, name: str, depth: int) -> str:
        known = {"AWS::Region": self.template.region, "AWS::AccountId": self.template.account}.get(name)
        if name == "AWS::StackName":
            known = self.template.stack
        if known:
            return known
        parameter = self.template.body.get("Parameters", {}).get(name)
        if isinstance(parameter, dict) and "Default" in parameter:
            default = self._text(parameter["Default"], depth)
            if not str(parameter.get("Type", "")).startswith("AWS::SSM::Parameter::Value"):
                return default
            return self.assembly.ssm_parameters.get(default, f"${{{name}}}")
        resource = self.template.resources.get(name)
        if resource and resource.type == "AWS::SSM::Parameter":
            return self._literal(resource.properties, ("Name",)) or f"${{{name}}}"
        return (resource and self._literal_name(resource.type, resource.properties)) or f"${{{name}}}"

    def _attribute(self, logical_id: str, attribute: str) -> str:
        resource = self.template.resources.get(logical_id)
        if resource and attribute == "Name":
            named = self._literal_name(resource.type, resource.properties)
            if named:
                return named
        if resource and resource.type == "AWS::SSM::Parameter" and attribute == "Value":
            return self._literal(resource.properties, ("Value",)) or f"${{{logical_id}.Value}}"
        literal = resource and self._literal(resource.properties, (attribute,))
        return literal or f"${{{logical_id}.{attribute}}}"

    def _literal_name(self, resource_type: str, properties: Mapping[str, Any]) -> str | None:
        kind = resource_type.rpartition("::")[2]
        return self._literal(properties, (f"{kind}Name", "Name"))

    @staticmethod
    def _literal(properties: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
        return next((properties[name] for name in names if isinstance(properties.get(name), str)), None)

    def _substituted(self, pattern: str, values: Mapping[str, Any], depth: int) -> str:
        def substitute(found: re.Match[str]) -> str:
            literal, name = found.groups()
            if literal:
                return f"${{{name}}}"
            if name in values:
                return self._text(values[name], depth)
            return self._attribute(*name.partition(".")[::2]) if "." in name else self._reference(name, depth)

        return _SUBSTITUTION.sub(substitute, pattern)

    @staticmethod
    def _part(index: Any, separator: str, source: str) -> str:
        parts = source.split(separator) if separator else [source]
        if "${" in source or not str(index).isdigit() or int(index) >= len(parts):
            return source
        return parts[int(index)]

    def _imported(self, name: str, depth: int) -> str:
        if name not in self.assembly.exports:
            return f"${{{name}}}"
        template, value = self.assembly.exports[name]
        return IntrinsicFunctions(assembly=self.assembly, template=template)._text(value, depth)

    def _dynamic(self, text: str) -> str:
        return _DYNAMIC_REFERENCE.sub(
            lambda found: self.assembly.ssm_parameters.get(found[1], found[0]),
            text,
        )
