"""The page of messages quotes what the code prints, in the order in which people look."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import aws_cdk as cdk
import pytest

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from cdk_review.assembly import read_assembly
from fargate_capacity.input_error import InputError
from fargate_capacity.pricing.fargate_prices import find_price
from tests.constructs.wrong_inputs import WrongInput, wrong_inputs

PAGE = (Path(__file__).parents[2] / "docs" / "what-each-message-means.md").read_text(encoding="utf-8")
SYNTHESIZED, COMMAND, OTHERS = (
    "Refused when the app is synthesized",
    "Refused by a command",
    "Said by AWS, the CDK or Docker",
)
_ROW = re.compile(r"^\| (?P<ticks>`+)(?P<message>.+?)(?P=ticks) \| (?P<why>.+) \| (?P<do>.+) \|$", re.MULTILINE)


def messages(heading: str) -> list[str]:
    _, _, section = PAGE.partition(f"## {heading}\n")
    return [row["message"] for row in _ROW.finditer(section.partition("\n## ")[0])]


def printed(wrong: WrongInput) -> str:
    with pytest.raises(InvalidArgumentError) as refused:
        wrong.write(cdk.Stack(cdk.App(), "Stack"))
    return str(refused.value)


@pytest.mark.parametrize("line", messages(SYNTHESIZED))
def test_a_refusal_is_quoted_as_the_constructs_print_it(line: str) -> None:
    may_print_it = [wrong for wrong in wrong_inputs() if line.startswith(wrong.refused)]
    assert may_print_it, "no wrong input is refused like this; quote one of tests/constructs/wrong_inputs"
    # The last ones are the most specific: a refusal is quoted up to where it differs from others.
    assert any(printed(wrong) == line for wrong in sorted(may_print_it, key=lambda wrong: -len(wrong.refused)))


def lines_of_commands(folder: Path) -> Iterator[str]:
    with pytest.raises(InputError) as no_assembly:
        read_assembly(folder)
    yield str(no_assembly.value).replace(str(folder), "cdk.out")
    with pytest.raises(InputError) as no_price:
        find_price(region="ap-south-2", architecture="X86_64")
    yield str(no_price.value)


def test_a_commands_line_is_quoted_as_it_prints_it(tmp_path: Path) -> None:
    for line, quoted in itertools.zip_longest(lines_of_commands(tmp_path), messages(COMMAND)):
        assert re.fullmatch(re.escape(quoted).replace("…", ".*"), line)


@pytest.mark.parametrize("heading", [SYNTHESIZED, COMMAND, OTHERS])
def test_messages_are_in_the_order_of_the_alphabet(heading: str) -> None:
    found = messages(heading)
    assert len(found) >= 2
    assert found == sorted(found, key=str.lower)
    assert len(found) == PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0].count("\n| `")


def test_what_others_say_has_a_source_or_a_page() -> None:
    _, _, section = PAGE.partition(f"## {OTHERS}\n")
    for row in _ROW.finditer(section):
        assert "](" in row["why"] + row["do"] or "SpikeScaling" in row["do"], row["message"]
