"""The period at which CloudWatch draws a dashboard's graphs, and the time ranges that its console offers."""

from __future__ import annotations

from datetime import timedelta

VIEWS = {
    "3h": timedelta(hours=3),
    "1d": timedelta(days=1),
    "1w": timedelta(weeks=1),
    "4w": timedelta(weeks=4),
}
# AWS documents that the periods adapt, but not the values. Observed: five minutes beyond twelve hours
# (Pocket/terraform-modules#159), an hour for weeks (cdklabs/cdk-monitoring-constructs#108).
_FIVE_MINUTES_FROM, _HOUR_FROM = timedelta(hours=13), timedelta(weeks=1)


def auto_period_s(length: timedelta) -> int:
    """Seconds between two points of a graph of this time range, with the default `periodOverride` `auto`."""
    if length >= _HOUR_FROM:
        return 3600
    return 300 if length >= _FIVE_MINUTES_FROM else 60
