"""Places the widgets of a dashboard construct on a new dashboard or on an existing one."""

import re
from collections.abc import Sequence

from aws_cdk import Duration, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from .._checks import check_duration, check_kind, plain, refusal
from .._construct_tree import stack_of

_SCREEN = 24
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
    """Returns the dashboard with `rows`; on an existing one they are below its widgets, under the id of `scope`.

    Raises:
        InvalidArgumentError: a name that CloudWatch does not accept, an interval that is not a positive `Duration` or
            is known at deployment only, a name or interval beside `dashboard`, which has its own, or a dashboard in
            another region or account.
    """
    own = {"dashboard_name": dashboard_name, "default_interval": default_interval}
    if dashboard is not None:
        remedy = "pass its dashboard" if hasattr(dashboard, "dashboard") else None
        check_kind("dashboard", dashboard, cloudwatch.Dashboard, "a Dashboard of aws_cloudwatch", remedy)
        for name, given in own.items():
            if given is not None:
                raise refusal(name, given, "none beside dashboard, which has its own; leave it out")
        _check_place(scope, dashboard)
        dashboard.add_widgets(cloudwatch.TextWidget(markdown=f"# {scope.node.id}", width=_SCREEN, height=1))
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


def _check_place(scope: Construct, dashboard: cloudwatch.Dashboard) -> None:
    # A dashboard shows metrics without a region from its own region.
    own, other = stack_of(scope), stack_of(dashboard)
    for name, allowed, given in (("region", own.region, other.region), ("account", own.account, other.account)):
        if given != allowed and not Token.is_unresolved(given) and not Token.is_unresolved(allowed):
            raise refusal(
                "dashboard",
                plain(f"one of the {name} {given}"),
                f"one of {allowed}, that of the stack {own.stack_name}",
                "make it in a stack of there",
            )
