import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LINEAR = {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25}, "WaitIntervalInSeconds": 120}


@pytest.fixture
def model_costs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs")
    return importlib.import_module("model_costs")


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write_assembly(*, instance_type: str = "ml.m5.large", routing: dict[str, Any] | None = None) -> Path:
        routing = routing or {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
        policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 600}
        variant = {"InstanceType": instance_type, "InitialInstanceCount": 2}
        states = {
            "Train": {"Arguments": {"ResourceConfig": {"InstanceType": "ml.g5.xlarge"}}},
            "Score-Current-Step": {"Arguments": {"TransformResources": {"InstanceType": "ml.m5.xlarge"}}},
            "EndpointConfig-Step": {"Arguments": {"ProductionVariants": [variant]}},
            "Endpoint-Updating-Step": {"Arguments": {"DeploymentConfig": {"BlueGreenUpdatePolicy": policy}}},
            "Wait": {"Seconds": 30},
        }
        machine = {"StateMachineName": "shop-release", "DefinitionString": json.dumps({"States": states})}
        part: dict[str, Any] = {"MetricStat": {}}
        resources = {
            "Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine},
            "Slow": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {"Metrics": [{"Expression": "a / b"}, part, part]},
            },
            "Queue": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Messages"}},
            "Degraded": {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {}},
            "Board": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {}},
            "Key": {"Type": "AWS::KMS::Key", "Properties": {}},
        }
        (tmp_path / "shop-model.template.json").write_text(json.dumps({"Resources": resources}))
        others = {"Key": {"Type": "AWS::KMS::Key", "Properties": {}}}
        (tmp_path / "shop-service.template.json").write_text(json.dumps({"Resources": others}))
        return tmp_path

    return write_assembly


PRICES = {
    "instance_hour": {"ml.m5.large": 0.1, "ml.m5.xlarge": 0.2, "ml.g5.xlarge": 1.0},
    "state_transition": 0.001,
    "alarm_metric_month": 0.1,
    "composite_alarm_month": 0.5,
    "dashboard_month": 3,
    "key_month": 1,
}


def test_each_cost_is_reckoned_from_the_template(model_costs: ModuleType, write: Any) -> None:
    usage = model_costs.Usage(releases=4, training_hours=2, scoring_hours=0.5)
    costs = {what: dollars for what, _, dollars in model_costs.rows(write(), PRICES, usage)}
    assert costs == pytest.approx(
        {
            "endpoint": 730 * 2 * 0.1,
            # 10 minutes to bring instances up, 10 that the old ones stay
            "the second fleet of an update": 4 * 20 / 60 * 2 * 0.1,
            "training": 4 * 2 * 1.0,
            "scoring the current model": 4 * 0.5 * 0.2,
            # 5 states, and 4 for each of 40 polls
            "states of the workflow": 4 * (5 + 4 * 40) * 0.001,
            "alarms": 3 * 0.1,
            "composite alarms": 0.5,
            "dashboards": 3,
            # the service's key is not the model's
            "keys": 1,
        }
    )


def test_steps_of_the_traffic_shifting_are_waited_for(model_costs: ModuleType, write: Any) -> None:
    rows = model_costs.rows(write(routing=LINEAR), PRICES, model_costs.Usage(releases=1))
    (how,) = [how for what, how, _ in rows if what.startswith("the second fleet")]
    # 10 to bring up, 3 waits of 2 between 4 steps, 10 to bake
    assert how == "1.00 × 26 min"


def test_the_page_gets_the_table_that_is_printed(
    model_costs: ModuleType, write: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- costs of the model half -->\n| old |\nafter\n")
    model_costs.main([str(write()), "--page", str(page)])
    printed = capsys.readouterr().out
    assert "**together**" in printed
    assert page.read_text() == f"before\n<!-- costs of the model half -->\n{printed}after\n"


def test_fails_when_an_instance_has_no_price(model_costs: ModuleType, write: Any) -> None:
    with pytest.raises(
        SystemExit, match=r"ml\.x9\.large: no price in tools/fargate_capacity/pricing/prices\.json; add it"
    ):
        model_costs.main([str(write(instance_type="ml.x9.large"))])


def test_the_function_carries_a_copy_of_the_one_price_table() -> None:
    root = Path(__file__).parents[2]
    table = json.loads((root / "tools/fargate_capacity/pricing/prices.json").read_text())
    assert json.loads((root / "lambda/endpoint_remover/instance_prices.json").read_text()) == table["instances"]
