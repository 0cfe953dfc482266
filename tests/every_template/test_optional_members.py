"""State machines do without each member of AWS's answers that AWS may leave out.

Each expression that reads a member which the service's model does not require is evaluated with the member and without
it. Where it is worth nothing without, or fails, Step Functions ends the state with States.QueryEvaluationError.
"""

import copy
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from tests.every_template.assembly import Assembly
from tests.every_template.jsonata_values import is_expression, value_of
from tests.every_template.test_task_requests import operation, service_model
from tests.every_template.workflow_values import Call, Machine, machines

# Members that are read as if they were required, and why they are there whatever the model says.
ALWAYS_GIVEN = {
    "lambda:invoke Payload": "Whoever waits for a function gets its answer, or its error, which is another path: "
    "https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html",
    "dynamodb:exportTableToPointInTime ExportDescription": "DynamoDB's model requires nothing of any answer; it is all "
    "that this one has: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportDescription.html",
    "dynamodb:describeExport ExportDescription": "As above.",
    "dynamodb:exportTableToPointInTime ExportDescription.ExportArn": "As above; what DescribeExport is asked by.",
    "dynamodb:describeExport ExportDescription.ExportArn": "As above.",
}
_READ = r"\$(states\.result|{})((?:\.\w+)+)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A value that is a part of an answer: `name` is how expressions read it, `path` where it is in the answer."""

    name: str
    shape: Shape
    sample: Any
    named: str
    path: tuple[str, ...] = ()


def answer_shape(call: Call) -> StructureShape | None:
    """What a task's result has: where it waits for a job, the job's description."""
    if call.pattern.startswith("sync"):
        kind = "Execution" if call.service == "states" else call.operation.removeprefix("create")
        kind = "QueryExecution" if call.service == "athena" else kind
        verb = "Get" if call.service == "athena" else "Describe"
        return service_model(call.service).operation_model(f"{verb}{kind}").output_shape
    return operation(call).output_shape


def sample(shape: Shape, depth: int = 0) -> Any:
    """A value with every member; a member's name begins with a capital letter, as Step Functions has it."""
    if depth > 6:
        return {}
    match shape:
        case StructureShape():
            return {_capital(name): sample(member, depth + 1) for name, member in shape.members.items()}
        case ListShape():
            return [sample(shape.member, depth + 1)]
        case MapShape():
            return {"key": sample(shape.value, depth + 1)}
        case StringShape():
            return shape.enum[0] if shape.enum else "text"
    return {"boolean": True, "timestamp": "2026-11-26T17:00:00.000Z", "blob": "text"}.get(shape.type_name, 1)


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


def expressions(part: Any, where: str) -> Iterator[tuple[str, str]]:
    """Each JSONata text of a state with its place."""
    match part:
        case dict():
            for name, value in part.items():
                if name not in ("Retry", "Catch", "ItemProcessor", "Branches"):
                    yield from expressions(value, f"{where}.{name}")
        case list():
            for index, item in enumerate(part):
                yield from expressions(item, f"{where}[{index}]")
        case str() if is_expression(part):
            yield where, part


def optional_paths(text: str, source: Source) -> Iterator[tuple[str, ...]]:
    """The paths of optional members of `source` that an expression reads."""
    seen = set()
    for found in re.finditer(_READ.format(re.escape(source.name)), text):
        if found[1] != source.name:
            continue
        path: tuple[str, ...] = ()
        shape: Any = source.shape
        for name in found[2].split(".")[1:]:
            if not isinstance(shape, StructureShape):
                break
            own = {_capital(member): member for member in shape.members}
            if name not in own:
                break
            path += (name,)
            if own[name] not in shape.required_members and path not in seen:
                seen.add(path)
                yield path
            shape = shape.members[own[name]]


def without(value: Any, path: tuple[str, ...]) -> Any:
    reduced = copy.deepcopy(value)
    inner = reduced
    for name in path[:-1]:
        inner = inner[name]
    inner.pop(path[-1], None)
    return reduced


def samples(source: Source) -> Iterator[Any]:
    """The answer in each of its states: an expression may read a member in one of them alone."""
    statuses = [
        (_capital(name), value)
        for name, member in getattr(source.shape, "members", {}).items()
        if name.lower().endswith("status")
        for value in getattr(member, "enum", [])
    ]
    for name, value in statuses or [("", "")]:
        yield {**source.sample, name: value} if name else source.sample


def worth(text: str, machine: Machine, source: Source, value: Any, unknown: str) -> Any:
    """What an expression is worth where `source` has this value, and the variable `unknown` none."""
    variables = {name: known for name, known in machine.variables.items() if name != unknown}
    if source.name == "states.result":
        return value_of(text, variables, {**machine.states, "result": value})
    return value_of(text, {**variables, source.name: value}, machine.states)


def unguarded(text: str, machine: Machine, source: Source) -> set[str]:
    """The members, as `service:operation path`, without which an expression is worth nothing."""
    found = set()
    # What is asked whether it is there may not be.
    unknown = ["", *(name for name in re.findall(r"\$(?:exists|type)\(\$(\w+)\)", text) if name != source.name)]
    for path in optional_paths(text, source):
        for value in samples(source):
            for name in unknown:
                worth(text, machine, source, value, name)
                try:
                    worth(text, machine, source, without(value, path), name)
                except Exception:
                    found.add(f"{source.named} {'.'.join((*source.path, *path))}")
    return found


def results(machine: Machine, call: Call) -> Source | None:
    shape = answer_shape(call)
    if shape is None:
        return None
    whole = sample(shape)
    if call.service == "lambda":
        # What the functions answer is theirs: all of what this machine's do.
        known = machine.variables
        whole["Payload"] = {
            **known,
            **known.get("posts", {}),
            "failure": known.get("happened", known["failure"]),
            "checked": True,
            "sha256": known.get("archive_sha256"),
        }
    return Source(name="states.result", shape=shape, sample=whole, named=f"{call.service}:{call.operation}")


def kept(source: Source, assigned: Mapping[str, Any]) -> Iterator[Source]:
    """The variables to which a part of the answer is assigned as it is."""
    for variable, text in assigned.items():
        found = isinstance(text, str) and re.fullmatch(r"\{% \$states\.result((?:\.\w+)*) %\}", text)
        if not found or source.named == "lambda:invoke":
            continue
        path = tuple(found[1].split(".")[1:])
        shape, value = source.shape, source.sample
        for name in path:
            own = {_capital(member): member for member in shape.members}  # type: ignore[attr-defined]
            shape, value = shape.members[own[name]], value[name]  # type: ignore[attr-defined]
        yield Source(name=variable, shape=shape, sample=value, named=source.named, path=path)


def all_unguarded(every: Iterable[Machine]) -> dict[str, list[str]]:
    """Each optional member that is read unguarded, with the expressions that do."""
    found: dict[str, list[str]] = {}
    for machine in every:
        sources: list[Source] = []
        for call in machine.calls():
            source = results(machine, call)
            if source is not None:
                for where, text in expressions(call.body, f"{machine.name} {call.state}"):
                    for member in unguarded(text, machine, source):
                        found.setdefault(member, []).append(where)
                sources += kept(source, call.body.get("Assign", {}))
        for source in sources:
            for state, body in machine.states_by_name.items():
                for where, text in expressions(body, f"{machine.name} {state}"):
                    for member in unguarded(text, machine, source):
                        found.setdefault(member, []).append(where)
    return found


def test_no_optional_member_is_read_as_if_it_were_there(assembly: Assembly) -> None:
    found = all_unguarded(machines(assembly, "name"))
    assert {member: where for member, where in found.items() if member not in ALWAYS_GIVEN} == {}


@pytest.mark.parametrize(
    ("state", "part", "text", "member"),
    [
        ("Describe", "Assign", "{% $states.result.FailureReason %}", "sagemaker:describeEndpoint FailureReason"),
        ("Describe", "Assign", "{% $states.result.EndpointStatus %}", None),
        (
            "Describe",
            "Assign",
            "{% $exists($left) ? $left : $states.result.EndpointConfigName %}",
            "sagemaker:describeEndpoint EndpointConfigName",
        ),
        ("Describe", "Assign", "{% 'on ' & $states.result.EndpointConfigName %}", None),
        ("Wait", "Output", "{% $endpoint.LastDeploymentConfig %}", "sagemaker:describeEndpoint LastDeploymentConfig"),
        ("Wait", "Output", "{% $exists($endpoint.ExplainerConfig) ? $endpoint.ExplainerConfig : 1 %}", None),
        (
            "Wait",
            "Output",
            "{% $endpoint.EndpointStatus = 'Failed' ? $endpoint.FailureReason : '' %}",
            "sagemaker:describeEndpoint FailureReason",
        ),
        ("Train", "Assign", "{% $states.result.TrainingTimeInSeconds * 2 %}",
         "sagemaker:createTrainingJob TrainingTimeInSeconds"),
    ],
)  # fmt: skip
def test_one_would_be_found(default_workflow: Assembly, state: str, part: str, text: str, member: str | None) -> None:
    (machine,) = [found for found in machines(default_workflow, "name") if "Input" in found.states_by_name]
    states = {**machine.definition["States"], state: {**machine.definition["States"][state], part: {"endpoint": text}}}
    changed = dataclasses.replace(machine, definition={**machine.definition, "States": states})
    found = set(all_unguarded([changed])) - set(ALWAYS_GIVEN)
    assert found == ({member} if member else set())
