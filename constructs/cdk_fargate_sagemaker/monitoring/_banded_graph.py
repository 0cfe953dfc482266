"""A graph whose lines and band are read at synthesis; the CDK's graph needs them when it is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A shaded band, from the value `low` to the value `high`."""

    low: float
    high: float
    label: str
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Horizontal lines and a band of a graph, on its left axis."""

    lines: Sequence[cloudwatch.HorizontalAnnotation] = ()
    band: Band | None = None


class BandedGraph(cloudwatch.GraphWidget):
    """A graph with horizontal lines and a band.

    Args:
        levels: returns the lines and the band. It is called when the template is made, after everything is declared.
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
        """Renders the graph, with the levels in CloudWatch's format: a band is a pair of values."""
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
