"""Where the widgets of a dashboard construct go: a dashboard of its own, or one that is there."""

import re
from collections.abc import Sequence

from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from .._checks import check_duration, check_kind, refusal

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def board(
    scope: Construct,
    rows: Sequence[Sequence[cloudwatch.IWidget]],
    *,
    dashboard: cloudwatch.Dashboard | None,
    dashboard_name: str | None,
    default_interval: Duration | None,
    usual_interval: Duration,
) -> cloudwatch.Dashboard:
    """The dashboard with `rows` on it, below what it has.

    Raises:
        InvalidArgumentError: a name that CloudWatch does not take, an interval that is none or known at deployment
            only, or name or interval beside `dashboard`, which has its own.
    """
    own = {"dashboard_name": dashboard_name, "default_interval": default_interval}
    if dashboard is not None:
        remedy = "pass its dashboard" if hasattr(dashboard, "dashboard") else None
        check_kind("dashboard", dashboard, cloudwatch.Dashboard, "a Dashboard of aws_cloudwatch", remedy)
        for name, given in own.items():
            if given is not None:
                raise refusal(name, given, "none beside dashboard, which has its own; leave it out")
    else:
        _check_own(dashboard_name, default_interval)
        dashboard = cloudwatch.Dashboard(
            scope,
            "Dashboard",
            dashboard_name=dashboard_name,
            default_interval=default_interval or usual_interval,
        )
    for row in rows:
        if row:
            dashboard.add_widgets(*row)
    return dashboard


def _check_own(dashboard_name: str | None, default_interval: Duration | None) -> None:
    if dashboard_name is not None:
        check_kind("dashboard_name", dashboard_name, str, "text")
        if not Token.is_unresolved(dashboard_name) and not _NAME.fullmatch(dashboard_name):
            raise refusal("dashboard_name", dashboard_name, "letters, digits, - and _")
    if default_interval is not None:
        check_duration("default_interval", default_interval, above_zero=True, token=False)
