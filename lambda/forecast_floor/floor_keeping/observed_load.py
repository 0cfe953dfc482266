"""The measured load: CPU of all tasks together, from CloudWatch."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from floor_decisions import SLOT, LoadHistory, slot_of

from .surroundings import Clients, Surroundings

# CloudWatch keeps five minutes for 63 days, hours for 455.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
_FIVE_MINUTES = timedelta(minutes=5)
_FIVE_MINUTES_KEPT = timedelta(days=62)
_HOUR = timedelta(hours=1)
_HOURS_KEPT = timedelta(days=454)


def observed_load(clients: Clients, surroundings: Surroundings, now: datetime) -> LoadHistory:
    """The load as far back as the settings say: the highest five minutes of each quarter of an hour.

    Every task reports its CPU once or three times a minute. So the sum of a period divided by the reports of one task
    is the CPU of all tasks together, whatever their number. Holidays of a year ago are known only by the hour.
    """
    settings = surroundings.settings
    look_back = settings.look_back
    back = timedelta(days=look_back.furthest * look_back.step_days + 2)
    fine_since = slot_of(now - min(back, _FIVE_MINUTES_KEPT))
    start = fine_since
    hourly: dict[datetime, float] = {}
    if settings.holidays:
        start = slot_of(now - _HOURS_KEPT).replace(minute=0)
        hourly = _loads(clients, surroundings, start, fine_since, _HOUR)
    fine = _loads(clients, surroundings, fine_since, slot_of(now), _FIVE_MINUTES)
    loads = []
    moment = start
    while moment < slot_of(now):
        if moment < fine_since:
            loads.append(hourly.get(moment.replace(minute=0), math.nan))
        else:
            parts = [fine[at] for each in range(3) if (at := moment + each * _FIVE_MINUTES) in fine]
            loads.append(max(parts, default=math.nan))
        moment += SLOT
    return LoadHistory(start=start, loads=loads)


def _loads(
    clients: Clients, surroundings: Surroundings, since: datetime, until: datetime, period: timedelta
) -> dict[datetime, float]:
    query: dict[str, Any] = {
        "Id": "cpu",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ECS",
                "MetricName": "CPUUtilization",
                "Dimensions": surroundings.dimensions,
            },
            "Period": int(period.total_seconds()),
            "Stat": "Sum",
        },
    }
    pages = clients.metrics.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[query], StartTime=since, EndTime=until
    )
    reports = surroundings.cpu_reports * (period / timedelta(minutes=1))
    return {
        at.astimezone(UTC): total / reports
        for page in pages
        for result in page["MetricDataResults"]
        for at, total in zip(result["Timestamps"], result["Values"], strict=True)
    }
