"""The commands of the AWS CLI that a page shows, and runs them without it, held against the services' own models."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import jmespath
from botocore import xform_name
from botocore.model import Shape

_COMMAND = re.compile(r"^(aws [^\n]+)$|`(aws [^`\n]+)`", re.MULTILINE)
# The CLI's names of services that botocore calls otherwise.
_SERVICES = {"s3api": "s3"}
_PLACEHOLDERS = ("…", "<", ">")


def commands_of(page: str) -> list[str]:
    """Every command of a page, in its order: lines of consoles, and those within a sentence."""
    return [block or inline for block, inline in _COMMAND.findall(page)]


def run_command(command: str, client: Callable[[str], Any]) -> Any:
    """What the command answers, after its `--query`. Refuses what the CLI would: services, operations, options."""
    assert not any(mark in command for mark in _PLACEHOLDERS), f"nothing is put in place of a part of: {command}"
    aws, service, operation, *words = shlex.split(command)
    assert aws == "aws"
    api = client(_SERVICES.get(service, service))
    if operation == "wait":
        waits_for, *words = words
        waiter = api.get_waiter(waits_for.replace("-", "_"))
        waiter.config.delay = 1
        return waiter.wait(**_parameters(_input(api, waiter.config.operation), words)[0])
    name = api.meta.method_to_api_mapping[operation.replace("-", "_")]
    given, query = _parameters(_input(api, name), words)
    answer = getattr(api, operation.replace("-", "_"))(**given)
    answer.pop("ResponseMetadata")
    return answer if query is None else jmespath.search(query, answer)


def _input(api: Any, operation: str) -> Any:
    return api.meta.service_model.operation_model(operation).input_shape.members


def _parameters(members: dict[str, Shape], words: list[str]) -> tuple[dict[str, Any], str | None]:
    options = {f"--{xform_name(name, '-')}": name for name in members}
    switches = {
        f"--{no}{xform_name(name, '-')}": (name, not no)
        for name, shape in members.items()
        if shape.type_name == "boolean"
        for no in ("", "no-")
    }
    given: dict[str, Any] = {}
    for word in [word for word in words if word in switches]:
        name, on = switches[word]
        given[name] = on
    words = [word for word in words if word not in switches]
    query = None
    for option, value in _options(words):
        if option == "--query":
            query = value
            jmespath.compile(value)
        elif option == "--output":
            assert value in ("text", "json", "table", "yaml"), value
        else:
            assert option in options, f"{option} is no option: {', '.join(options)}"
            given[options[option]] = _value(members[options[option]], value)
    return given, query


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    assert len(words) % 2 == 0, words
    yield from zip(words[::2], words[1::2], strict=True)


def _value(shape: Shape, text: str) -> Any:
    match shape.type_name:
        case "string":
            return text
        case "integer" | "long":
            return int(text)
        case "list" if not text.startswith("["):
            return [text]
        case _:
            return json.loads(text)
