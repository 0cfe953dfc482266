import json
from collections.abc import Callable
from pathlib import Path

import pytest

_ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_every_alarm_says_what_it_means(environment: str, synth: Callable[[str], Path]) -> None:
    alarms = {
        f"{path.name}: {name}": resource["Properties"].get("AlarmDescription")
        for path in synth(environment).glob("*.template.json")
        for name, resource in json.loads(path.read_text())["Resources"].items()
        if resource["Type"] in _ALARMS
    }
    assert len(alarms) >= 20
    assert [name for name, description in alarms.items() if not description] == []
