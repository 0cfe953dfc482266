"""The custom resource, asked by CloudFormation as CloudFormation asks it."""

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.web_server import Handler, serving


@dataclass
class CloudFormation:
    """Takes the answers of custom resources, as CloudFormation's bucket does."""

    response_url: str
    answers: list[Any]


@pytest.fixture
def cloudformation() -> Iterator[CloudFormation]:
    class Bucket(Handler):
        def do_PUT(self) -> None:
            assert not self.headers["Content-Type"]
            answers.append(json.loads(self.body()))
            self.answer(200)

    answers: list[Any] = []
    with serving(Bucket) as url:
        yield CloudFormation(f"{url}/answer", answers)


@pytest.fixture
def ask(
    aws: EmbeddedAws, load_function: Callable[[str], ModuleType], cloudformation: CloudFormation
) -> Callable[..., Any]:
    function = load_function("target_tuner")

    def request(kind: str, name: str, *, initial: str = "60", old: Any = None) -> Any:
        function.handler(
            {
                "RequestType": kind,
                "ResponseURL": cloudformation.response_url,
                "StackId": "stack",
                "RequestId": "request",
                "LogicalResourceId": "LiveTarget",
                "ResourceProperties": {"Name": name, "Initial": initial},
                **({"PhysicalResourceId": old} if old else {}),
            },
            None,
        )
        answer = cloudformation.answers.pop()
        assert (answer["StackId"], answer["RequestId"], answer["LogicalResourceId"]) == (
            "stack",
            "request",
            "LiveTarget",
        )
        return answer

    return request


@pytest.fixture
def name() -> str:
    return f"/web-{uuid.uuid4().hex[:8]}/target-percent"


@pytest.fixture
def value(aws: EmbeddedAws) -> Callable[..., Any]:
    def read(name: str) -> Any:
        return aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]

    return read


def test_makes_the_parameter_with_the_initial_value(
    ask: Callable[..., Any], name: str, value: Callable[..., Any]
) -> None:
    answer = ask("Create", name)
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", name)
    assert value(name) == "60"


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_leaves_a_tuned_value_alone_whatever_the_initial_one(
    ask: Callable[..., Any], aws: EmbeddedAws, name: str, value: Callable[..., Any], kind: str
) -> None:
    ask("Create", name)
    aws.client("ssm").put_parameter(Name=name, Value="64", Overwrite=True)
    answer = ask(kind, name, initial="55", old=None if kind == "Create" else name)
    assert answer["Status"] == "SUCCESS"
    assert value(name) == "64"


def test_an_update_makes_a_parameter_that_somebody_deleted(
    ask: Callable[..., Any], name: str, value: Callable[..., Any]
) -> None:
    ask("Update", name, old=name)
    assert value(name) == "60"


def test_another_name_takes_the_tuned_value_along(
    ask: Callable[..., Any], aws: EmbeddedAws, name: str, value: Callable[..., Any]
) -> None:
    ask("Create", name)
    aws.client("ssm").put_parameter(Name=name, Value="64", Overwrite=True)
    answer = ask("Update", f"{name}-next", old=name)
    # CloudFormation then asks for the old one to be deleted.
    assert answer["PhysicalResourceId"] == f"{name}-next"
    assert value(f"{name}-next") == "64"
    assert value(name) == "64"


def test_another_name_begins_anew_where_the_old_one_is_gone(
    ask: Callable[..., Any], name: str, value: Callable[..., Any]
) -> None:
    ask("Update", f"{name}-next", old=name)
    assert value(f"{name}-next") == "60"


def test_is_deleted_with_the_stack_and_a_second_time_too(ask: Callable[..., Any], aws: EmbeddedAws, name: str) -> None:
    ask("Create", name)
    for _ in range(2):
        answer = ask("Delete", name, old=name)
        assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", name)
    assert aws.client("ssm").get_parameters(Names=[name])["InvalidParameters"] == [name]


def test_answers_whatever_failed(ask: Callable[..., Any], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("unforeseen")

    monkeypatch.setattr(sys.modules["target_tuning.live_parameter"], "_make", fail)
    answer = ask("Create", name)
    assert (answer["Status"], answer["Reason"]) == ("FAILED", "KeyError: 'unforeseen'")


def test_says_why_it_failed(ask: Callable[..., Any]) -> None:
    # A name that no parameter can have.
    answer = ask("Create", "")
    assert answer["Status"] == "FAILED"
    assert answer["Reason"]
