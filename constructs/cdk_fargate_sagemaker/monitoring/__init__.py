"""Dashboards and alarms of the services and models."""

from .change_log import Change, ChangeLog, ChangeLogError
from .service_alarms import ServiceAlarms
from .service_dashboard import ServiceDashboard

__all__ = ["Change", "ChangeLog", "ChangeLogError", "ServiceAlarms", "ServiceDashboard"]
