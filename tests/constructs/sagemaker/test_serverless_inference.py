import pytest
from aws_cdk import Token

from cdk_fargate_sagemaker.sagemaker import ServerlessInference
from tests.constructs.known_at_deployment import whole


@pytest.mark.parametrize("memory", [0, 512, 1500, 7168])
def test_fails_when_the_memory_is_no_whole_gib_of_one_to_six(memory: int) -> None:
    with pytest.raises(ValueError, match=f"memory_mib: got {memory}, allowed: 1024, 2048, 3072, 4096, 5120, 6144"):
        ServerlessInference(memory_mib=memory)


@pytest.mark.parametrize("concurrency", [0, 201])
def test_fails_when_the_concurrency_is_out_of_bounds(concurrency: int) -> None:
    with pytest.raises(ValueError, match=f"max_concurrency: got {concurrency}, allowed: a whole number, 1 to 200"):
        ServerlessInference(max_concurrency=concurrency)


@pytest.mark.parametrize("provisioned", [0, 6])
def test_fails_when_more_is_kept_warm_than_may_answer(provisioned: int) -> None:
    message = rf"provisioned_concurrency: got {provisioned}, allowed: a whole number, 1 to 5; max_concurrency"
    with pytest.raises(ValueError, match=message):
        ServerlessInference(max_concurrency=5, provisioned_concurrency=provisioned)


def test_what_comes_at_deployment_is_not_judged() -> None:
    token = whole(Token.as_number({"Ref": "Number"}))
    given = ServerlessInference(memory_mib=token, max_concurrency=token, provisioned_concurrency=3)
    assert given.memory_mib == token
