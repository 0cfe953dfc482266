"""The variables of the project's state machines, each as long as it can become."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.every_template.assembly import Assembly
from tests.every_template.jsonata_values import value_of

LONGEST_EXECUTION_NAME = 80
LONGEST_CAUSE = 4000
_BUCKET = "b" * 63
_METRICS = {"average_precision": 0.912345678, "precision": 0.9, "recall": 0.9}
_INTERVAL = {"value": 0.912345678, "low": 0.912345678, "high": 0.912345678}
_COMPARISON = {
    "confidence": 0.95,
    "posts": 1_000_000,
    "violations": 1_000_000,
    "average_precision": _INTERVAL,
    "auc_drop": _INTERVAL,
}

Variables = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A task of a state machine: `service` and `operation` as its resource has them, `pattern` how it is waited for."""

    machine: str
    state: str
    service: str
    operation: str
    pattern: str
    is_sdk: bool
    arguments: Mapping[str, Any]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A state machine with one execution of it, whose name may be any; `released` is what a rollback goes back to."""

    name: str
    arn: str
    definition: Mapping[str, Any]
    execution_name: str
    region: str
    account: str
    released: str = ""
    variables: Variables = field(init=False)

    def __post_init__(self) -> None:
        made = _release(self) if "Input" in self.states_by_name else {}
        if "Endpoint-State" in self.states_by_name:
            made = _rollback(self, self.released)
        if "Look" in self.states_by_name:
            made = {"decision": {"pending": True, "rows": "x" * 1000}}
        failure = {"state": "s" * 80, "error": "e" * 256, "cause": "c" * LONGEST_CAUSE}
        object.__setattr__(self, "variables", {"failure": failure, **made})

    @property
    def execution(self) -> str:
        return f"{self.arn.replace(':stateMachine:', ':execution:')}:{self.execution_name}"

    @property
    def states_by_name(self) -> dict[str, dict[str, Any]]:
        return dict(_states(self.definition["States"]))

    @property
    def states(self) -> dict[str, Any]:
        """`$states` before a task has a result."""
        return {
            "input": {},
            "context": {
                "Execution": {
                    "Id": self.execution,
                    "Name": self.execution_name,
                    "Input": {"started_by": "hand"},
                    "StartTime": "2026-11-26T17:00:00.000Z",
                },
                "StateMachine": {"Id": self.arn, "Name": self.name},
            },
        }

    def calls(self) -> Iterator[Call]:
        for name, state in self.states_by_name.items():
            if state["Type"] == "Task":
                resource = state["Resource"].partition(":states:::")[2]
                service, _, called = resource.removeprefix("aws-sdk:").partition(":")
                operation, _, pattern = called.partition(".")
                yield Call(
                    machine=self.name,
                    state=name,
                    service=service,
                    operation=operation,
                    pattern=pattern,
                    is_sdk=resource.startswith("aws-sdk:"),
                    arguments=state.get("Arguments", {}),
                    body=state,
                )


def machines(assembly: Assembly, execution_name: str) -> list[Machine]:
    """The state machines of an assembly, each with an execution of that name."""
    found: list[Machine] = []
    # A release before its rollback, which goes back to what an execution of the same name has made.
    for name, _, definition in sorted(assembly.state_machines(), key=lambda machine: machine[0]):
        endpoint = name.removesuffix("-rollback")
        released = [str(known.variables["release"]) for known in found if known.name == f"{endpoint}-release"]
        found.append(
            Machine(
                name=name,
                arn=assembly.arn("states", f"stateMachine:{name}"),
                definition=definition,
                execution_name=execution_name,
                region=assembly.region,
                account=assembly.account,
                released="".join(released),
            )
        )
    return found


def _states(states: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in states.items():
        yield name, state
        for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]:
            yield from _states(inner["States"])


def release_name(machine: Machine) -> str:
    """The name of jobs, model and endpoint configuration, which the workflow derives from the execution's."""
    (assigning,) = [
        choice["Assign"]
        for choice in machine.states_by_name["Input"]["Choices"]
        if "release" in choice.get("Assign", {})
    ]
    return str(value_of(assigning["release"], {}, machine.states))


def _release(machine: Machine) -> Variables:
    release = release_name(machine)
    folder = f"s3://{_BUCKET}/runs/{machine.execution_name}/preprocessed"
    return {
        "release": release,
        "started_by": "s" * 256,
        "current": {
            **_served(release),
            "metrics": _METRICS,
            "labels_as_of": "2026-11-26T17:00:00.000000Z",
            "sides": 1_000_000,
        },
        "posts": {
            "train": {"uri": f"{folder}/train/", "posts": 1_000_000},
            "test": {"uri": f"{folder}/test/", "posts": 1_000_000, "texts_uri": f"{folder}/test/texts/"},
        },
        "held_out": f"{folder}/test/",
        "model_data": _served(release)["model_data"],
        "archive_sha256": _served(release)["archive_sha256"],
        "metrics": _METRICS,
        "current_metrics": _METRICS,
        "comparison": _COMPARISON,
        "validation": {"score": {"fine": [7, 0], "violation": [0, 2]}},
        "current_scores": f"{folder}/current/posts.jsonl.out",
        "endpoint": {},
        "polls": 99,
        "export": {
            "ExportArn": f"arn:aws:dynamodb:{machine.region}:{machine.account}:table/{'t' * 255}/export/{'0' * 22}"
        },
        "export_polls": 99,
        "rolled_back_to": release,
        "rollback_failure": "r" * LONGEST_CAUSE,
    }


def _rollback(machine: Machine, release: str) -> Variables:
    return {
        "mode": "stopped",
        "failed": {"release": release, "execution": machine.execution},
        "target": _served(release),
        "happened": {"state": "s" * 80, "error": "e" * 256, "cause": "c" * LONGEST_CAUSE},
        "note": "n" * 400,
        "offer": f'the next good release is {release}: start again with {{"release": "{release}"}}',
        "reason": "r" * 1024,
        "endpoint": {},
        "left": release,
        "polls": 99,
        "updates": 0,
        "deletions": 0,
        "creations": 0,
        "starting": "creation",
        "archive_checked": False,
        "alert": {
            "workflow": machine.name,
            "execution": machine.execution,
            "state": "s" * 80,
            "error": "e" * 256,
            "cause": "c" * LONGEST_CAUSE,
            "further": {"rolled_back_to": release},
        },
    }


def _served(release: str) -> dict[str, Any]:
    return {
        "release": release,
        "endpoint_configuration": release,
        "model": release,
        "model_data": f"s3://{_BUCKET}/models/{release}/output/model.tar.gz",
        # Of an archive that was copied in parts.
        "archive_sha256": f"{'f' * 64}-10000",
    }
