"""What a user may get wrong is refused in one line: what was given, what is allowed, what to do."""

import re

import aws_cdk as cdk
import pytest

from cdk_fargate_sagemaker.errors import InvalidArgumentError
from tests.constructs.wrong_inputs import WrongInput, wrong_inputs


@pytest.mark.parametrize("wrong", wrong_inputs(), ids=lambda wrong: wrong.id)
def test_is_refused_in_one_line(wrong: WrongInput) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        wrong.write(cdk.Stack(cdk.App(), "Stack"))
    line = str(refused.value)
    assert line.startswith(wrong.refused), line
    assert re.fullmatch(r"[^\n]+: got [^\n]+, allowed: [^\n]+", line), line
