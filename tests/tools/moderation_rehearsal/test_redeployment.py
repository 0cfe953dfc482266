from typing import Any

import pytest

from moderation_rehearsal.redeployment import DeployedState

BAND = [{"value": 60, "label": "target"}, {"value": 80}]


def _dashboard(*horizontal: Any) -> dict[str, Any]:
    return {"widgets": [{"type": "metric", "properties": {"annotations": {"horizontal": list(horizontal)}}}]}


def _state(threshold: float, dashboards: dict[str, Any]) -> DeployedState:
    return DeployedState(desired_tasks=2, dashboards=dashboards, thresholds=frozenset({60.0, threshold}))


def test_each_changed_value_is_told_by_its_place() -> None:
    before = _state(80, {"api": _dashboard({"value": 80})})
    after = _state(85, {"api": _dashboard({"value": 85})})
    place = "widgets.0.properties.annotations.horizontal.0.value"
    assert after.changed_dashboards(before) == [f"api: {place}: 80 → 85"]
    assert after.changed_dashboards(after) == []


def test_a_list_of_another_length_is_one_change() -> None:
    before, after = _state(80, {"api": _dashboard(1)}), _state(80, {"api": _dashboard(1, 2)})
    assert after.changed_dashboards(before) == [
        "api: widgets.0.properties.annotations.horizontal: [1] → [1, 2]",
    ]


@pytest.mark.parametrize(
    ("drawn", "undrawn"),
    [([{"value": 80}], [85.0]), ([{"value": 85}], []), ([[{"value": 60}, {"value": 85}]], []), ([BAND], [85.0])],
)
def test_a_new_threshold_has_to_be_a_line_or_a_bands_edge(drawn: list[Any], undrawn: list[float]) -> None:
    before = _state(80, {"api": _dashboard({"value": 80})})
    after = _state(85, {"api": _dashboard(*drawn), "text": {"widgets": [{"type": "text", "properties": {}}]}})
    assert after.undrawn_thresholds(before) == undrawn


def test_what_has_no_dashboard_need_not_show_anything() -> None:
    assert _state(85, {}).undrawn_thresholds(_state(80, {})) == []
