"""Draws the curve for the choice of a threshold."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from review_threshold.review_estimates import Estimate, ReviewEstimates

_PRECISION, _RECALL, _LOAD, _INK, _QUIET = "#3a5f8a", "#a8322b", "#6b6f76", "#23262b", "#5e636b"
MOST_POINTS = 120


def draw_curve(estimates: ReviewEstimates, chosen: float, path: Path) -> None:
    """Draw precision and recall with their intervals, and the load, over the threshold, as a PNG or SVG file."""
    thresholds = _thinned(estimates.thresholds())
    with mpl.rc_context({"font.size": 10, "axes.edgecolor": _QUIET, "text.color": _INK, "svg.hashsalt": "curve"}):
        figure = Figure(figsize=(8, 5.6), layout="constrained")
        shares, load = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1.2]})
        _draw_share(shares, thresholds, [estimates.precision(one) for one in thresholds], "precision", _PRECISION)
        _draw_share(shares, thresholds, [estimates.recall(one) for one in thresholds], "recall", _RECALL)
        shares.set_ylim(0, 1.02)
        shares.set_ylabel("share, with 95 % intervals")
        load.step(thresholds, [estimates.load(one) for one in thresholds], where="pre", color=_LOAD)
        load.set_ylim(bottom=0)
        load.set_ylabel("posts a day")
        load.set_xlabel("threshold")
        for axes in (shares, load):
            axes.axvline(chosen, color=_INK, linestyle=(0, (4, 3)), linewidth=1)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(color="#e6e3dc", linewidth=0.8)
            axes.set_axisbelow(True)
        shares.set_title(f"threshold {chosen:.3f}", loc="left", fontsize=11)
        if shares.get_legend_handles_labels()[0]:
            shares.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0)
        figure.savefig(path, dpi=120)


def _draw_share(axes: Axes, thresholds: list[float], estimates: list[Estimate | None], label: str, color: str) -> None:
    known = [(at, one) for at, one in zip(thresholds, estimates, strict=True) if one is not None]
    if not known:
        return
    at = [threshold for threshold, _ in known]
    axes.fill_between(at, [one.low for _, one in known], [one.high for _, one in known], color=color, alpha=0.15, lw=0)
    axes.plot(at, [one.value for _, one in known], color=color, label=label, linewidth=1.8)


def _thinned(thresholds: list[float]) -> list[float]:
    step = max(1, len(thresholds) // MOST_POINTS)
    return sorted({*thresholds[::step], thresholds[-1]})
