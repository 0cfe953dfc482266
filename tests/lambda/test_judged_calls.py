"""What the judge of every call in these tests would say."""

from typing import Any

import pytest

from tests.botocore_calls import PROJECT, Calls


def program(source: str) -> Any:
    """A function `read` of a program of this project, whose text is not on disk."""
    found: dict[str, Any] = {}
    exec(compile(source, str(PROJECT / "lambda" / "any" / "any.py"), "exec"), found)
    return found["read"]


@pytest.fixture
def parameter(aws: Any) -> Any:
    systems = aws.client("ssm")
    systems.put_parameter(Name="/judged", Value="1", Type="String", Overwrite=True)
    return systems


@pytest.mark.parametrize(
    ("expression", "member"),
    [
        ("answer['Parameter']['DataType']", "ssm:GetParameter.Parameter.DataType"),
        ("'DataType' in answer['Parameter'] and answer['Parameter']['DataType']", None),
        ("answer['Parameter'].get('DataType')", None),
        ("[answer[name] for name in ('ResponseMetadata',)]", None),
    ],
)
def test_a_read_of_what_may_be_missing_is_kept(
    judged_calls: Calls, parameter: Any, expression: str, member: str | None
) -> None:
    program(f"def read(answer):\n    return {expression}\n")(parameter.get_parameter(Name="/judged"))
    found = {name: judged_calls.reads.pop(name) for name in list(judged_calls.reads) if not name.endswith(".Parameter")}
    assert found == ({member: "lambda/any/any.py, read"} if member else {})


def test_what_a_test_itself_reads_is_its_own_affair(judged_calls: Calls, parameter: Any) -> None:
    assert parameter.get_parameter(Name="/judged")["Parameter"]["DataType"]
    assert judged_calls.reads == {}


@pytest.mark.parametrize(
    ("name", "fault"), [("any name", "regular expression pattern"), ("n" * 513, "length less than or equal to 512")]
)
def test_what_aws_would_refuse_is_kept(judged_calls: Calls, aws: Any, name: str, fault: str) -> None:
    aws.client("logs").create_log_group(logGroupName=name)
    (found,) = judged_calls.faults
    assert found.startswith("logs:CreateLogGroup: ")
    assert fault in found
    judged_calls.faults.clear()
