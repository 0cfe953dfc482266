"""Converts CloudFormation's intrinsic functions to readable text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fargate_capacity.template import Resource, Template, mapping

if TYPE_CHECKING:
    from fargate_capacity.cloud_assembly import CloudAssembly

_SUBSTITUTION = re.compile(r"\$\{(!?)([^${}]+)\}")
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:ssm:((?:\$\{[^{}]*\}|[^:{}])+)(?::\d+)?\}\}")
# The resource types that create an SSM parameter, with the property for its initial value.
PARAMETER_TYPES = {"AWS::SSM::Parameter": "Value", "Custom::LiveTarget": "Initial"}
_MAX_DEPTH = 100
_NO_VALUE = {"Ref": "AWS::NoValue"}
# The DNS suffix of a partition, by the prefix of its regions; all other regions have the first.
_PARTITIONS = (("cn-", "aws-cn", "amazonaws.com.cn"), ("us-gov-", "aws-us-gov", "amazonaws.com"))


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrinsicFunctions:
    """Resolves functions of literals; values known only at deployment stay readable, as `${Service.Name}`.

    Args:
        assembly: the cloud assembly, for imports and SSM parameters.
        template: the template with the resources and parameters.
    """

    assembly: CloudAssembly
    template: Template

    def text(self, value: Any) -> str:
        """A property's value as text; objects and lists as JSON, with their values resolved."""
        return self._dynamic(self._text(value, 0))

    def condition(self, name: str) -> bool | None:
        """Whether a condition of the template is true; None if known only at deployment or not declared."""
        return self._condition(name, 0)

    def chosen(self, value: Any) -> Any:
        """A value with each `Fn::If` replaced by the chosen branch and without `AWS::NoValue`; the rest is unchanged.

        If the condition is known only at deployment, the first branch is chosen.
        """
        return self._chosen(value, 0)

    def resource(self, value: Any) -> tuple[Template, Resource] | None:
        """The resource that a `Ref` or `Fn::GetAtt` refers to, through exports, parameters and outputs of nested
        stacks.
        """
        return self._resource(value, 0)

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
            if len(value) == 1 and "Fn::If" in value:
                chosen = self._chosen(value, depth + 1)
                return chosen if chosen == value else self._resolved(chosen, depth + 1)
            if len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::")):
                return self._text(value, depth + 1)
            return {key: self._resolved(item, depth + 1) for key, item in value.items()}
        return value

    def _call(self, function: str, argument: Any, depth: int) -> str:
        match function, argument:
            case "Ref", str(name):
                return self._reference(name, depth)
            case "Fn::GetAtt", [str(logical_id), attribute]:
                return self._attribute(logical_id, self._text(attribute, depth), depth)
            case "Fn::GetAtt", str(path):
                resource, _, attribute = path.partition(".")
                return self._attribute(resource, attribute, depth)
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
            case "Fn::If", [str(name), when_true, otherwise]:
                # With an unknown condition the first branch is shown, so that a picture has content.
                return self._text(otherwise if self._condition(name, depth) is False else when_true, depth)
            case "Fn::ImportValue", name:
                return self._imported(self._text(name, depth), depth)
            case "Fn::FindInMap", [str(name), first, second, *_]:
                found = mapping(self.template.body.get("Mappings")).get(name, {})
                for key in (self._text(first, depth), self._text(second, depth)):
                    found = found.get(key) if isinstance(found, dict) else None
                return f"${{{name}}}" if found is None else self._text(found, depth)
            case "Fn::ToJsonString", value:
                return json.dumps(self._resolved(value, depth))
        return f"${{{function.removeprefix('Fn::')}}}"

    def _reference(self, name: str, depth: int) -> str:
        if known := self._pseudo_parameter(name):
            return known
        parameter = mapping(self.template.body.get("Parameters")).get(name)
        if isinstance(parameter, dict):
            given = self._given(name, parameter, depth)
            if given is None:
                return f"${{{name}}}"
            if not str(parameter.get("Type", "")).startswith("AWS::SSM::Parameter::Value"):
                return given
            return self.assembly.ssm_parameters.get(given, f"${{{name}}}")
        resource = self.template.resources.get(name)
        if resource and resource.type == "AWS::SSM::Parameter":
            return self._literal(resource.properties, ("Name",)) or f"${{{name}}}"
        return (resource and self._literal_name(resource.type, resource.properties)) or f"${{{name}}}"

    def _pseudo_parameter(self, name: str) -> str | None:
        region = self.template.region
        partition, suffix = next(
            ((name, suffix) for begin, name, suffix in _PARTITIONS if region and region.startswith(begin)),
            ("aws", "amazonaws.com"),
        )
        return {
            "AWS::Region": region,
            "AWS::AccountId": self.template.account,
            "AWS::StackName": self.template.stack if self.template.parent is None else None,
            "AWS::Partition": partition if region else None,
            "AWS::URLSuffix": suffix if region else None,
        }.get(name)

    def _given(self, name: str, parameter: Mapping[str, Any], depth: int) -> str | None:
        """A parameter's value: the one that the parent passes to its nested stack, or the default."""
        if self.template.parent is not None:
            parent, resource = self.template.parent
            above = IntrinsicFunctions(assembly=self.assembly, template=parent)
            passed = mapping(above._chosen(resource.properties.get("Parameters"), depth))
            if name in passed:
                # An unresolved value is shown as the parent's resource, which is clearer than a parameter's hash.
                return above._text(passed[name], depth)
        return self._text(parameter["Default"], depth) if "Default" in parameter else None

    def _condition(self, name: str, depth: int) -> bool | None:
        declared = mapping(self.template.body.get("Conditions"))
        if name not in declared or depth > _MAX_DEPTH:
            return None
        return self._holds(declared[name], depth + 1)

    def _holds(self, value: Any, depth: int) -> bool | None:
        """Three-valued logic: an unknown part may be decided by another."""
        if depth > _MAX_DEPTH or not isinstance(value, dict) or len(value) != 1:
            return None
        match next(iter(value.items())):
            case "Condition", str(name):
                return self._condition(name, depth)
            case "Fn::Equals", [left, right]:
                first, second = self._dynamic(self._text(left, depth)), self._dynamic(self._text(right, depth))
                if first == second:
                    return True
                return None if "${" in first + second or "{{resolve:" in first + second else False
            case "Fn::Not", [only]:
                held = self._holds(only, depth + 1)
                return None if held is None else not held
            case "Fn::And", list(parts):
                found = [self._holds(part, depth + 1) for part in parts]
                return False if False in found else None if None in found else True
            case "Fn::Or", list(parts):
                found = [self._holds(part, depth + 1) for part in parts]
                return True if True in found else None if None in found else False
        return None

    def _chosen(self, value: Any, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            return value
        if isinstance(value, list):
            items = (self._chosen(item, depth + 1) for item in value)
            return [item for item in items if item != _NO_VALUE]
        if not isinstance(value, dict):
            return value
        match value:
            case {"Fn::If": [str(name), when_true, otherwise]} if len(value) == 1:
                return self._chosen(otherwise if self._condition(name, depth) is False else when_true, depth + 1)
        parts = ((key, self._chosen(item, depth + 1)) for key, item in value.items())
        return value if value == _NO_VALUE else {key: item for key, item in parts if item != _NO_VALUE}

    def _resource(self, value: Any, depth: int) -> tuple[Template, Resource] | None:
        value = self._chosen(value, depth)
        if depth > _MAX_DEPTH or not isinstance(value, dict) or len(value) != 1:
            return None
        match next(iter(value.items())):
            case "Ref", str(name):
                found = self.template.resources.get(name)
                if found is not None or self.template.parent is None:
                    return (self.template, found) if found else None
                parent, nested = self.template.parent
                passed = mapping(nested.properties.get("Parameters")).get(name)
                return IntrinsicFunctions(assembly=self.assembly, template=parent)._resource(passed, depth + 1)
            case "Fn::GetAtt", [str(logical_id), str(attribute)]:
                return self._attributes_resource(logical_id, attribute, depth)
            case "Fn::GetAtt", str(path):
                return self._attributes_resource(*path.partition(".")[::2], depth)
            case "Fn::ImportValue", name:
                template, exported = self.assembly.exports.get(self._text(name, depth), (None, None))
                if template is not None:
                    return IntrinsicFunctions(assembly=self.assembly, template=template)._resource(exported, depth + 1)
        return None

    def _attributes_resource(self, logical_id: str, attribute: str, depth: int) -> tuple[Template, Resource] | None:
        output = self._output(logical_id, attribute)
        if output is not None:
            template, value = output
            return IntrinsicFunctions(assembly=self.assembly, template=template)._resource(value, depth + 1)
        found = self.template.resources.get(logical_id)
        return (self.template, found) if found else None

    def _output(self, logical_id: str, attribute: str) -> tuple[Template, Any] | None:
        """Resolves `Nested.Outputs.Name`: the nested stack, and the declared value."""
        kind, _, name = attribute.partition(".")
        nested = self.assembly.nested(self.template, logical_id) if kind == "Outputs" else None
        declared = mapping(nested.body.get("Outputs")).get(name) if nested else None
        return (nested, declared.get("Value")) if nested and isinstance(declared, dict) else None

    def _attribute(self, logical_id: str, attribute: str, depth: int) -> str:
        if output := self._output(logical_id, attribute):
            return IntrinsicFunctions(assembly=self.assembly, template=output[0])._text(output[1], depth + 1)
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
            resource, is_attribute, attribute = name.partition(".")
            return self._attribute(resource, attribute, depth) if is_attribute else self._reference(name, depth)

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
        return _DYNAMIC_REFERENCE.sub(lambda found: self._parameter_named(found[1]) or found[0], text)

    def _parameter_named(self, name: str) -> str | None:
        """The value of an SSM parameter; its name may be known only at deployment."""
        if name in self.assembly.ssm_parameters or "${" not in name:
            return self.assembly.ssm_parameters.get(name)
        for resource in self.template.resources.values():
            value = resource.properties.get(PARAMETER_TYPES.get(resource.type, ""))
            names = (f"${{{resource.logical_id}}}", self._text(resource.properties.get("Name", ""), 0))
            if isinstance(value, str) and name in names:
                return value
        return None
