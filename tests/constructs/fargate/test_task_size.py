import aws_cdk as cdk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdk_fargate_sagemaker.fargate.task_size import check_task_size
from tests.constructs.known_at_deployment import whole

# (cpu, least, most): the ends of each range in AWS's table.
ENDS = [
    (256, 512, 2048),
    (512, 1024, 4096),
    (1024, 2048, 8192),
    (2048, 4096, 16384),
    (4096, 8192, 30720),
    (8192, 16384, 61440),
    (16384, 32768, 122880),
]


@pytest.mark.parametrize(("cpu", "least", "most"), ENDS)
def test_takes_the_ends_of_each_range(cpu: int, least: int, most: int) -> None:
    check_task_size(cpu=cpu, memory_mib=least)
    check_task_size(cpu=cpu, memory_mib=most)


@pytest.mark.parametrize(("cpu", "least", "most"), ENDS)
def test_fails_when_the_memory_is_beyond_an_end(cpu: int, least: int, most: int) -> None:
    for memory_mib in (least - 1, most + 1):
        with pytest.raises(ValueError, match=rf"memory_mib: got {memory_mib}, allowed: {least}.*with cpu={cpu}"):
            check_task_size(cpu=cpu, memory_mib=memory_mib)


def test_fails_when_the_smallest_task_gets_a_step_that_it_lacks() -> None:
    with pytest.raises(ValueError, match="memory_mib: got 1536, allowed: 512, 1024, 2048 with cpu=256"):
        check_task_size(cpu=256, memory_mib=1536)


@settings(deadline=None)
@given(cpu=st.integers().filter(lambda cpu: cpu not in {end[0] for end in ENDS}))
def test_fails_when_fargate_has_no_such_cpu(cpu: int) -> None:
    with pytest.raises(ValueError, match=f"cpu: got {cpu}, allowed: 256, 512, 1024"):
        check_task_size(cpu=cpu, memory_mib=2048)


def test_takes_a_token_for_either() -> None:
    token = whole(cdk.Token.as_number({"Ref": "Parameter"}))
    check_task_size(cpu=token, memory_mib=1)
    check_task_size(cpu=1024, memory_mib=token)
