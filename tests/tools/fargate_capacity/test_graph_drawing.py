import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fargate_capacity import theme
from fargate_capacity.alarms import Alarms
from fargate_capacity.canvas import Box, Canvas
from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.dashboard_body import read_dashboard_body
from fargate_capacity.fonts import drawing_settings
from fargate_capacity.sample_series import SampleSeries, SampleService
from fargate_capacity.time_window import TimeWindow
from fargate_capacity.widget_drawing import WidgetDrawing

_START = datetime(2026, 11, 1, tzinfo=UTC)
_DAY = TimeWindow(start=_START, end=_START + timedelta(days=1))


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with drawing_settings():
        yield


@pytest.fixture
def draw(write_assembly: Callable[..., Path]) -> Callable[..., tuple[str, list[str]]]:
    """Draws one widget; gives the SVG and what the picture could not show."""
    assembly = CloudAssembly(write_assembly({"Resources": {}}))

    def drawn(*, width: int = 12, **properties: Any) -> tuple[str, list[str]]:
        text = json.dumps({"widgets": [{"type": "metric", "width": width, "properties": properties}]})
        (widget,) = read_dashboard_body(text).widgets
        drawing = WidgetDrawing(
            source=lambda _: SampleSeries(window=_DAY, service=SampleService(), seed="a"),
            window=_DAY,
            alarms=Alarms(assembly=assembly, template=assembly.templates[0]),
            watermark="sample data",
        )
        canvas = Canvas(width=width * theme.COLUMN, height=300, has_readers_fonts=True)
        notes = drawing.draw(canvas, Box(x=0, y=0, width=canvas.width, height=canvas.height), widget)
        return canvas.svg(), notes

    return drawn


_CPU = [["AWS/ECS", "CPUUtilization", {"period": 60}]]


def _changes(count: int, label: str) -> dict[str, Any]:
    times = [(_START + timedelta(hours=12, minutes=10 * number)).isoformat() for number in range(count)]
    return {"vertical": [{"value": time, "label": f"{label} {number}"} for number, time in enumerate(times)]}


def test_no_change_is_lost_in_a_crowd(draw: Callable[..., tuple[str, list[str]]]) -> None:
    svg, notes = draw(metrics=_CPU, annotations=_changes(12, "target raised by one point"))
    for number in range(12):
        label = f"target raised by one point {number}"
        assert (f">{label}<" in svg) != any(note.endswith(label) for note in notes), label
    assert notes


def test_a_label_that_is_wider_than_the_graph_is_told(draw: Callable[..., tuple[str, list[str]]]) -> None:
    label = "a change that takes many words to tell " * 3
    _, notes = draw(width=6, metrics=_CPU, annotations=_changes(1, label))
    assert len(notes) == 1
    assert label.strip() in notes[0]


def test_a_threshold_with_a_label_wider_than_the_graph_is_told(draw: Callable[..., tuple[str, list[str]]]) -> None:
    label = " ".join(["a threshold that takes many words to tell"] * 3)
    _, notes = draw(width=6, metrics=_CPU, annotations={"horizontal": [{"value": 40, "label": label}]})
    assert notes == [f"40  {label}"]


def test_bands_thresholds_and_the_watermark_are_drawn(draw: Callable[..., tuple[str, list[str]]]) -> None:
    annotations = {
        "horizontal": [[{"value": 50, "label": "from"}, {"value": 80, "label": "to"}], {"value": 90, "label": "top"}],
        "vertical": [[{"value": "2026-11-01T03:00:00Z", "label": "a"}, {"value": "2026-11-01T05:00:00Z"}]],
    }
    svg, notes = draw(metrics=_CPU, annotations=annotations, title="$x$ and $y$")
    for text in ("from", "to", "top", "a", "sample data", "$x$ and $y$", "Percent"):
        assert f">{text}<" in svg, text
    assert notes == []


@pytest.mark.parametrize("view", ["timeSeries", "singleValue", "bar", "pie", "gauge", "table"])
@pytest.mark.parametrize("count", [1, 7])
def test_every_view_takes_any_number_of_metrics(
    draw: Callable[..., tuple[str, list[str]]], view: str, count: int
) -> None:
    metrics = [["Own", "Orders", "Shop", f"shop {number}", {"stat": "Sum"}] for number in range(count)]
    svg, notes = draw(width=24, metrics=metrics, view=view, annotations={"horizontal": [{"value": 40}]})
    assert notes == []
    assert ">shop 3<" in svg or count == 1


def test_a_right_axis_alone_is_drawn(draw: Callable[..., tuple[str, list[str]]]) -> None:
    svg, _ = draw(metrics=[["AWS/ECS", "CPUUtilization", {"yAxis": "right"}]])
    assert ">Percent<" in svg


_odd: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", -1, 0, 0.5, 1e400, float("nan"), "auto", [], {}, [[]], True, "${Later}", "#12345"]
)
_options = st.dictionaries(
    st.sampled_from(["label", "id", "stat", "period", "color", "yAxis", "visible", "expression"]), _odd
)
_query = st.sampled_from(
    [
        "SEARCH('{Own,Shop} MetricName=\"Orders\"', 'Sum')",
        "SEARCH('')",
        "SORT(SEARCH('{}', 'Sum', 60), MAX, DESC, 1)",
        "SORT(1, 2)",
        "SELECT",
        "SELECT AVG(Orders) FROM Own GROUP BY Shop LIMIT 0",
        "INSIGHT_RULE_METRIC()",
        "INSIGHT_RULE()",
        "ANOMALY_DETECTION_BAND(SEARCH('x'))",
        "SLICE(METRICS(), 9)",
    ]
)
_row = (
    _query.map(lambda text: [{"expression": text}])
    | st.tuples(st.just("Own"), st.just("Orders"), _options).map(list)
    | _options.map(lambda one: [one])
    | _odd
)
_annotation = st.dictionaries(st.sampled_from(["value", "label", "color", "fill", "yAxis", "visible"]), _odd)
_properties = st.fixed_dictionaries(
    {},
    optional={
        "metrics": st.lists(_row, max_size=3) | _odd,
        "view": st.sampled_from(["timeSeries", "singleValue", "bar", "pie", "gauge", "table"]) | _odd,
        "annotations": st.fixed_dictionaries(
            {},
            optional={
                "horizontal": st.lists(_annotation | st.lists(_annotation, max_size=3), max_size=3) | _odd,
                "vertical": st.lists(_annotation | st.lists(_annotation, max_size=3), max_size=3) | _odd,
                "alarms": st.lists(_odd, max_size=2) | _odd,
            },
        )
        | _odd,
        "yAxis": st.dictionaries(
            st.sampled_from(["left", "right"]),
            st.dictionaries(st.sampled_from(["min", "max", "label", "showUnits"]), _odd) | _odd,
        )
        | _odd,
        "title": _odd,
        "period": _odd,
        "stat": _odd,
        "stacked": _odd,
        "legend": _odd,
        "sparkline": _odd,
        "setPeriodToTimeRange": _odd,
        "singleValueFullPrecision": _odd,
        "start": _odd | st.sampled_from(["-PT1H", "2026-11-01T00:00:00Z"]),
        "end": _odd | st.sampled_from(["-PT1H", "2026-11-01T00:00:00Z"]),
        "insightRule": st.fixed_dictionaries({}, optional={"ruleName": _odd, "maxContributorCount": _odd}) | _odd,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(properties=_properties)
def test_an_odd_body_is_drawn_nevertheless(
    draw: Callable[..., tuple[str, list[str]]], properties: dict[str, Any]
) -> None:
    svg, _ = draw(**properties)
    assert svg.rstrip().endswith("</svg>")
