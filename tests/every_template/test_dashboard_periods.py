"""Every graph has the same level at whatever period CloudWatch draws it.

With `periodOverride` `auto`, the default, that is a minute, five minutes or an hour, by the time that is shown; sums
and numbers of samples grow with it. What is meant as a total says so in its title.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fargate_capacity.alarms import Alarms
from fargate_capacity.cloud_assembly import CloudAssembly
from fargate_capacity.dashboard_body import Metric, MetricWidget
from fargate_capacity.dashboards import Dashboard, find_dashboards
from fargate_capacity.time_window import TimeWindow
from fargate_capacity.widget_series import resolve_widget
from tests.every_template.conftest import EXAMPLES, SYNTHS
from tests.every_template.dashboard_variants import every_dashboard

TOTAL = "total in each period"
PERIODS_S = (60, 300, 3600)
_WINDOW = TimeWindow(start=datetime(2026, 11, 1, tzinfo=UTC), end=datetime(2026, 11, 1, 6, tzinfo=UTC))
# Statistics of CloudWatch that sum or count, trimmed ones too, in both of their forms.
_PER_PERIOD = re.compile(r"(?i)sum|samplecount|n|t[cs](\d.*|\(.*\))")

WITH_DASHBOARDS = {
    name: SYNTHS[name]
    for name in ("dev", "prod", *(program.name for program in EXAMPLES if "Dashboard(" in program.read_text()))
} | {"every dashboard": every_dashboard}


class ConstantTraffic:
    """The same in every minute: what sums and counts grows with the period, everything else does not."""

    @property
    def is_sample(self) -> bool:
        return True

    def period_s(self, metric: Metric) -> int:
        return metric.period_s

    def values(self, metric: Metric, label: str | None, period_s: int) -> NDArray[np.float64] | None:
        name = repr((metric.namespace, metric.name, metric.dimensions)).encode()
        level = 10 + hashlib.sha256(name).digest()[0]
        return np.full(
            _WINDOW.grid(period_s).shape, level * (period_s / 60 if _PER_PERIOD.fullmatch(metric.stat) else 1.0)
        )

    def note(self, metric: Metric, label: str | None) -> str | None:
        return None


def levels(dashboard: Dashboard, alarms: Alarms, period_s: int) -> Iterator[tuple[str, str, float]]:
    """Title of each widget, label of each line, and the line's level."""
    for widget in dashboard.body.widgets:
        if not isinstance(widget, MetricWidget):
            continue
        drawn = resolve_widget(widget, source=ConstantTraffic(), window=_WINDOW, alarms=alarms, period_s=period_s)
        assert not drawn.notes, (dashboard.name, widget.title, drawn.notes)
        assert drawn.series, (dashboard.name, widget.title)
        for series in drawn.series:
            assert np.ptp(series.values) == pytest.approx(0), (dashboard.name, widget.title)
            yield widget.title, series.label, float(series.values[0])


@pytest.fixture(scope="module", params=WITH_DASHBOARDS)
def dashboards(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Dashboard, Alarms]]:
    folder: Path = tmp_path_factory.mktemp("assembly")
    WITH_DASHBOARDS[request.param](folder)
    assembly = CloudAssembly(folder)
    return [(found, Alarms(assembly=assembly, template=found.template)) for found in find_dashboards(assembly)]


def test_a_graph_has_the_same_level_at_every_period(dashboards: list[tuple[Dashboard, Alarms]]) -> None:
    for dashboard, alarms in dashboards:
        at = [list(levels(dashboard, alarms, period_s)) for period_s in PERIODS_S]
        for (title, label, minute), *longer in zip(*at, strict=True):
            ratios = [level / minute for _, _, level in longer]
            expected = [period_s / 60 for period_s in PERIODS_S[1:]] if TOTAL in title else [1.0, 1.0]
            assert ratios == pytest.approx(expected), f"{dashboard.name}: {title}: {label}"
