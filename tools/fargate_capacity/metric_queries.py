"""`SEARCH`, Metrics Insights, Contributor Insights: samples of the metrics that only CloudWatch can find."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fargate_capacity.dashboard_body import Metric

_SAMPLES = 3
_SCHEMA = re.compile(r"\{\s*(?P<inside>[^}]*)\}")
_TERM = re.compile(r'"([^"]*)"|([^\s,()"=]+)')
_PAIR = re.compile(r'"?(?P<name>[\w.:][\w .:/-]*?|[\w.:])"?\s*=\s*(?P<value>"[^"]*"|\([^)]*\)|[^\s()]+)')
_OPERATORS = re.compile(r"^(?:(?:AND|OR|NOT)\s+)+")
_SELECT = re.compile(
    r"""\s*SELECT\s+(?P<function>\w+)\(\s*(?P<metric>"[^"]+"|[^()\s]*)\s*\)\s+
    FROM\s+(?:SCHEMA\(\s*(?P<schema>[^)]*)\)|(?P<namespace>"[^"]+"|\S+))""",
    re.VERBOSE | re.IGNORECASE,
)
_GROUP = re.compile(r"GROUP\s+BY\s+(?P<labels>.+?)(?:\s+ORDER\s+BY|\s+LIMIT|\s*$)", re.IGNORECASE | re.DOTALL)
_LIMIT = re.compile(r"LIMIT\s+(\d+)", re.IGNORECASE)
_STATS = {"AVG": "Average", "SUM": "Sum", "MAX": "Maximum", "MIN": "Minimum", "COUNT": "SampleCount"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricQuery:
    """A query, and samples of its results.

    Args:
        found: sample metrics, because only CloudWatch can find the real ones.
        note: the note below the picture.
        period_s: the query's period. Default: none.
    """

    found: tuple[Metric, ...]
    note: str
    period_s: int | None = None


def is_metrics_insights(text: str) -> bool:
    """Whether an expression is a Metrics Insights query instead of metric math."""
    return re.match(r"\s*SELECT\b", text, re.IGNORECASE) is not None


def metrics_insights(text: str) -> MetricQuery:
    """A Metrics Insights query: one series, or a few with GROUP BY."""
    query = _SELECT.match(text)
    schema = [_unquoted(part) for part in (query["schema"] or "").split(",")] if query and query["schema"] else []
    namespace = schema[0] if schema else _unquoted(query["namespace"]) if query and query["namespace"] else ""
    name = _unquoted(query["metric"]) if query else ""
    stat = _STATS.get(query["function"].upper(), "Average") if query else "Average"
    group = _GROUP.search(text)
    labels = [_unquoted(label) for label in group["labels"].split(",")] if group else []
    limit = _LIMIT.search(text)
    count = min(int(limit[1]), _SAMPLES) if limit and labels else _SAMPLES if labels else 1
    return MetricQuery(
        found=_samples(namespace, [name or "Metric"], labels, {}, stat, count),
        note="Metrics Insights finds its series in CloudWatch; samples stand for them",
    )


def search(text: str, stat: str | None, period_s: int | None) -> MetricQuery:
    """A search expression: `{Namespace,Dimension} MetricName="…"`, and terms."""
    schema = _SCHEMA.search(text)
    parts = [quoted or plain for quoted, plain in _TERM.findall(schema["inside"])] if schema else []
    rest = text[: schema.start()] + text[schema.end() :] if schema else text
    pairs = [(_OPERATORS.sub("", found["name"]), found) for found in _PAIR.finditer(rest)]
    # Excluded terms of a search are no hint at its results.
    given = {name: _alternatives(found["value"]) for name, found in pairs if not found["name"].startswith("NOT ")}
    namespace = parts[0] if parts else next(iter(given.pop("Namespace", [])), "")
    names = given.pop("MetricName", [])
    if not names:
        bare = [quoted or plain for quoted, plain in _TERM.findall(_PAIR.sub(" ", rest))]
        names = [term for term in bare if term.upper() not in ("AND", "OR", "NOT")][:1] or ["Metric"]
    dimensions = parts[1:] or [name for name in given if not name.startswith(":")]
    values = {name: found for name, found in given.items() if name in dimensions and found}
    is_named = bool(dimensions) and all(values.get(name) for name in dimensions)
    count = max(len(values[name]) for name in dimensions) if is_named else _SAMPLES
    return MetricQuery(
        found=_samples(namespace, names[:2], dimensions, values, stat or "Average", count),
        note="SEARCH finds its metrics in CloudWatch; samples stand for them",
        period_s=period_s,
    )


def contributor_insights(rule: str, count: int) -> MetricQuery:
    """The top contributors of a Contributor Insights rule."""
    return MetricQuery(
        found=_samples("AWS/InsightRule", ["Contributors"], ["Contributor"], {}, "Sum", min(count, _SAMPLES)),
        note=f"Contributor Insights ({rule}) finds its contributors in CloudWatch; samples stand for them",
    )


def _samples(
    namespace: str, names: list[str], dimensions: list[str], values: dict[str, list[str]], stat: str, count: int
) -> tuple[Metric, ...]:
    return tuple(
        Metric(
            namespace=namespace,
            name=name,
            dimensions=tuple(
                (
                    dimension,
                    found[number % len(found)] if (found := values.get(dimension)) else f"{dimension} {number + 1}",
                )
                for dimension in dimensions
            ),
            stat=stat,
        )
        for name in names
        for number in range(max(count, 1))
    )


def _alternatives(value: str) -> list[str]:
    """The values of `"a"`, `a` or `("a" OR "b")`."""
    return [
        quoted or plain
        for quoted, plain in _TERM.findall(value)
        if (quoted or plain).upper() not in ("OR", "AND", "NOT")
    ]


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'")
