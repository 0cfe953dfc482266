"""A graph whose lines and band are read at synthesis, which the CDK's own graph cannot do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """What is shaded: the values from `low` to `high`."""

    low: float
    high: float
    label: str
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What is drawn across a graph, on its left axis."""

    lines: Sequence[cloudwatch.HorizontalAnnotation] = ()
    band: Band | None = None


class BandedGraph(cloudwatch.GraphWidget):
    """A graph of a metric by the minute.

    Args:
        levels: gives what is drawn across it, asked when the template is made: all is declared by then.
    """

    def __init__(
        self,
        *,
        title: str,
        left: Sequence[cloudwatch.IMetric],
        levels: Callable[[], Levels],
        vertical_annotations: Sequence[cloudwatch.VerticalAnnotation],
        left_y_axis: cloudwatch.YAxisProps,
        legend_position: cloudwatch.LegendPosition,
        width: int,
        height: int,
        period: Duration,
    ) -> None:
        super().__init__(
            title=title,
            left=left,
            vertical_annotations=vertical_annotations,
            left_y_axis=left_y_axis,
            legend_position=legend_position,
            period=period,
            width=width,
            height=height,
        )
        self._levels = levels

    def to_json(self) -> list[Any]:
        """The graph's own rendering, with the levels in the form that CloudWatch has for them: a band is a pair."""
        (widget,) = super().to_json()
        levels = self._levels()
        drawn: list[Any] = [
            {"value": line.value, "color": line.color, "label": line.label, "yAxis": "left"} for line in levels.lines
        ]
        if levels.band:
            low = {"value": levels.band.low, "label": levels.band.label, "color": levels.band.color}
            drawn.append([low, {"value": levels.band.high}])
        if drawn:
            annotations = widget["properties"].get("annotations", {})
            widget["properties"]["annotations"] = {"horizontal": drawn, **annotations}
        return [widget]
