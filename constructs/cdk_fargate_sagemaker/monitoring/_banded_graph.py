"""A graph with a shaded band between two values, which the CDK's own graph cannot draw."""

from collections.abc import Sequence
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


class BandedGraph(cloudwatch.GraphWidget):
    """A graph by the minute whose left axis may have a band."""

    def __init__(
        self,
        *,
        title: str,
        left: Sequence[cloudwatch.IMetric],
        left_annotations: Sequence[cloudwatch.HorizontalAnnotation],
        vertical_annotations: Sequence[cloudwatch.VerticalAnnotation],
        left_y_axis: cloudwatch.YAxisProps,
        legend_position: cloudwatch.LegendPosition,
        width: int,
        height: int,
        band: Band | None,
    ) -> None:
        super().__init__(
            title=title,
            left=left,
            left_annotations=left_annotations,
            vertical_annotations=vertical_annotations,
            left_y_axis=left_y_axis,
            legend_position=legend_position,
            period=Duration.minutes(1),
            width=width,
            height=height,
        )
        self._band = band

    def to_json(self) -> list[Any]:
        """The graph's own rendering, with the band in the form that CloudWatch has for it: a pair of values."""
        (widget,) = super().to_json()
        if self._band:
            low = {"value": self._band.low, "label": self._band.label, "color": self._band.color}
            annotations = widget["properties"].setdefault("annotations", {})
            annotations.setdefault("horizontal", []).append([low, {"value": self._band.high}])
        return [widget]
