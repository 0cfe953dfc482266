"""A model that is not of text: XGBoost, trained by an image of a team's own; its data and checks are functions."""

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from cdk_fargate_sagemaker.notifications import AlertsTopic
from cdk_fargate_sagemaker.sagemaker import (
    DataChannel,
    EvaluationGate,
    FunctionStep,
    ModelEvaluation,
    ModelImage,
    ModelReleaseWorkflow,
    TrafficShifting,
    TrainingJob,
)
from cdk_rehearsal.embedded_aws import EmbeddedAws
from tests.denied_calls import DeniedCalls
from tests.deployed_assembly import deploy

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Prices:
    """The deployed workflow."""

    aws: EmbeddedAws
    outputs: dict[str, str]

    def release(self, name: str, rows: list[list[float]]) -> dict[str, Any]:
        """Releases a model of these rows, the target first, and waits for its end."""
        text = "\n".join(",".join(f"{value:.4f}" for value in row) for row in rows)
        self.aws.client("s3").put_object(Bucket=self.outputs["bucket"], Key="houses/houses.csv", Body=text.encode())
        machines = self.aws.client("stepfunctions")
        arn = machines.start_execution(stateMachineArn=self.outputs["workflow"], name=name)["executionArn"]
        _wait(machines, arn)
        found: dict[str, Any] = machines.describe_execution(executionArn=arn)
        return found

    def price(self, *rows: list[float]) -> tuple[str, list[float]]:
        """Which model answers, and what it says of these rows."""
        answer = self.aws.client("sagemaker-runtime").invoke_endpoint(
            EndpointName="prices",
            ContentType="text/csv",
            Body="\n".join(",".join(map(str, row)) for row in rows),
        )
        body = answer["Body"].read().decode()
        return answer["CustomAttributes"].removeprefix("model="), [float(line) for line in body.splitlines()]


def _wait(machines: Any, arn: str) -> None:
    deadline = time.monotonic() + 400
    while machines.describe_execution(executionArn=arn)["status"] == "RUNNING":
        assert time.monotonic() < deadline, f"{arn} goes on"
        time.sleep(0.2)


def houses(seed: int, noise: float) -> list[list[float]]:
    """Prices by size and age, with as much noise as is said."""
    drawn = random.Random(seed)
    rows = []
    for _ in range(400):
        size, age = drawn.uniform(20, 120), drawn.uniform(0, 50)
        rows.append([0.5 * size - 0.4 * age + drawn.gauss(0, noise), size, age])
    return rows


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory, denied_calls: DeniedCalls) -> Iterator[Prices]:
    assembly = tmp_path_factory.mktemp("assembly")
    app = cdk.App(outdir=str(assembly))
    stack = cdk.Stack(app, "Prices", synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
    cdk.Tags.of(app).add("cost-center", "4711")
    bucket = s3.Bucket(stack, "Data", enforce_ssl=True)
    image = ModelImage.from_asset(HERE / "images" / "xgboost")

    def own(name: str) -> lambda_.Function:
        return lambda_.Function(
            stack,
            name,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_asset(str(HERE / "tabular_functions" / name)),
            timeout=cdk.Duration.minutes(1),
        )

    split, measure, smoke_test = own("split"), own("measure"), own("smoke_test")
    bucket.grant_read(split, "houses/*")
    bucket.grant_put(split, "runs/*")
    bucket.grant_read(measure, "runs/*/trained/*")
    bucket.grant_read(smoke_test, "runs/*/test/*")
    workflow = ModelReleaseWorkflow(
        stack,
        "Release",
        endpoint_name="prices",
        inference_image=image,
        data_bucket=bucket,
        alerts_topic=AlertsTopic(stack, "Alerts"),
        source=FunctionStep(function=split),
        train=TrainingJob(
            image=image,
            hyperparameters={
                "objective": "reg:squarederror",
                "max_depth": 4,
                "eta": 0.2,
                "num_round": 60,
                "eval_metric": ["rmse", "mae"],
            },
            data_channels={
                "train": DataChannel(side="train", content_type="text/csv"),
                "validation": DataChannel(side="test", content_type="text/csv"),
            },
        ),
        evaluate=ModelEvaluation(
            measure=FunctionStep(
                function=measure, payload={"model_data": "{% $model_data %}", "current": "{% $current %}"}
            ),
            score_current=None,
            gate=EvaluationGate(at_most={"rmse": 6}, may_worsen={"rmse": 0.5}),
        ),
        check=FunctionStep(
            function=smoke_test,
            payload={"endpoint": "prices", "release": "{% $release %}", "rows": "{% $held_out %}"},
            name="Smoke-Test",
        ),
        traffic_shifting=TrafficShifting.all_at_once(bake=cdk.Duration.seconds(0)),
    )
    smoke_test.add_to_role_policy(
        iam.PolicyStatement(actions=["sagemaker:InvokeEndpoint"], resources=[workflow.endpoint_arn])
    )
    outputs = {"bucket": bucket.bucket_name, "workflow": workflow.state_machine.state_machine_arn}
    for name, value in outputs.items():
        cdk.CfnOutput(stack, f"Output{name}", value=value)
    app.synth()
    with EmbeddedAws(cloud_assembly=assembly, wait_scale=0.002) as aws:
        yield Prices(aws=aws, outputs=deploy(aws, assembly, "Prices"))
        assert denied_calls.unexpected(aws) == []


def test_a_model_of_numbers_is_trained_judged_and_served(prices: Prices) -> None:
    ended = prices.release("first", houses(1, noise=1))
    assert ended["status"] == "SUCCEEDED", f"{ended.get('error')}: {ended.get('cause')}"
    told = json.loads(ended["output"])
    assert 0 < told["metrics"]["rmse"] < 6
    assert set(told["metrics"]) == {"rmse", "mae"}
    # What it learnt: half the size, less 0.4 of the age.
    model, (large, old) = prices.price([100, 0], [100, 40])
    assert model == told["release"]
    assert large == pytest.approx(50, abs=6)
    assert old == pytest.approx(34, abs=6)


@pytest.mark.parametrize(
    ("name", "noise", "cause"),
    [
        ("useless", 20, "needed at most 6: at_most of the gate"),
        ("worse", 3.5, "it may rise by at most 0.5, may_worsen of the gate"),
    ],
)
def test_a_model_of_numbers_that_is_worse_does_not_serve(prices: Prices, name: str, noise: float, cause: str) -> None:
    serving, _ = prices.price([100, 0])
    ended = prices.release(name, houses(2, noise=noise))
    assert ended["status"] == "FAILED"
    assert ended["cause"].startswith("Evaluation-Gate: GateRefused: rmse is ")
    assert cause in ended["cause"]
    assert prices.price([100, 0])[0] == serving
