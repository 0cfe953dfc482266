import pytest

from cdk_fargate_sagemaker.sagemaker import EndpointConfiguration, EndpointVariant, ServerlessInference
from cdk_fargate_sagemaker.sagemaker.configuration._serving_machines import serving_machines
from cdk_fargate_sagemaker.sagemaker.machines._instance_memory import instance_size


@pytest.mark.parametrize(
    ("instance_type", "vcpus", "gib"),
    [
        ("ml.t2.medium", 2, 4),
        ("ml.m5.large", 2, 8),
        ("ml.c6i.large", 2, 4),
        ("ml.c5.9xlarge", 36, 72),
        ("ml.r5.12xlarge", 48, 384),
        ("ml.g5.xlarge", 4, 16),
        ("ml.g4dn.12xlarge", 48, 192),
    ],
)
def test_knows_the_memory_of_usual_types(instance_type: str, vcpus: int, gib: int) -> None:
    assert instance_size(instance_type) == (vcpus, 1024 * gib)


@pytest.mark.parametrize("instance_type", ["ml.p4d.24xlarge", "ml.c5.medium", "${Token[TOKEN.7]}", "ml.new9.large"])
def test_says_nothing_of_other_types(instance_type: str) -> None:
    assert instance_size(instance_type) is None


def test_names_each_machine_that_the_released_model_gets() -> None:
    configuration = EndpointConfiguration(
        variants=[
            EndpointVariant(name="a", instance_type="ml.c6i.4xlarge", weight=3),
            EndpointVariant(name="b", instance_type="ml.p4d.24xlarge"),
            EndpointVariant(name="c", instance_type="ml.m5.large", model_name="older"),
        ]
    )
    one = {"name": "ml.c6i.4xlarge", "mib": 32768}
    assert serving_machines(configuration, {}) == [{**one, "workers": 2}]
    assert serving_machines(configuration, {"SERVE_FOR": "throughput"}) == [{**one, "workers": 8}]
    assert serving_machines(configuration, {"MODEL_SERVER_WORKERS": "3"}) == [{**one, "workers": 3}]


def test_serverless_capacity_is_a_machine() -> None:
    configuration = EndpointConfiguration(variants=[EndpointVariant(serverless=ServerlessInference(memory_mib=3072))])
    expected = {"name": "serverless capacity of 3072 MiB", "mib": 3072, "workers": 1}
    assert serving_machines(configuration, {}) == [expected]
