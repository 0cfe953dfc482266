"""Dashboards and alarms of the services and models."""

from .change_log import Change, ChangeLog, ChangeLogError
from .fargate_price import FargatePrice
from .service_alarms import ServiceAlarms
from .service_dashboard import ServiceDashboard

__all__ = ["Change", "ChangeLog", "ChangeLogError", "FargatePrice", "ServiceAlarms", "ServiceDashboard"]
