"""Dashboards and alarms of the services and models."""

from .service_dashboard import ServiceDashboard

__all__ = ["ServiceDashboard"]
